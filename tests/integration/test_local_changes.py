"""Local changes in a release are saved as a Git stash, and the release is not modified."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from autoupdate.host import runtime_files
from autoupdate.model.steps import Result
from tests.integration.site import Site


def stashes(site: Site) -> list[str]:
    """Return the lines of `git stash list`, as an administrator sees them."""
    listed = site.git("stash", "list", "--format=%gd|%gs|%ct")
    return listed.splitlines()


def test_nothing_was_changed(deployed: Site) -> None:
    """Files that the build made, byte code and shared files are not local changes."""
    run_app_once(deployed)
    (deployed.path / "state/starts").write_text("17\n")
    (deployed.path / "state/new.json").write_text("{}")
    deployed.upstream.commit(version=2)
    assert deployed.run().result is Result.UPDATED
    assert stashes(deployed) == []
    assert deployed.log.messages("stashed") == []
    assert (deployed.path / "state/starts").read_text() == "17\n", "what services wrote stays"
    assert (deployed.path / "state/new.json").exists()


def run_app_once(site: Site) -> None:
    """Let Python write the byte code that it writes for a service."""
    cache = site.release / "ipfs_accelerate_py/__pycache__"
    (cache / "version.cpython-39.pyc").write_bytes(b"of another interpreter")


def test_every_kind_of_change_is_saved(deployed: Site) -> None:
    release = deployed.release
    text, binary = release / "README.md", bytes(range(256)) * 40
    original = text.read_text()
    text.write_text(original + "changed by hand\n")
    (release / "docs/index.md").unlink()
    (release / "ipfs_accelerate_py/data/table.bin").write_bytes(binary)
    (release / "ipfs_accelerate_py/serve.py").chmod(0o755)
    (release / "new/ümlaut and space").mkdir(parents=True)
    (release / "new/ümlaut and space/ a\tfile\n*[x].txt ").write_text("untracked\n")
    (release / "link").symlink_to("/nowhere")
    before = sorted(
        (str(path), path.lstat().st_mode, path.lstat().st_size)
        for path in release.rglob("*")
        if ".git" not in path.parts
    )
    commit, left = deployed.upstream.published(), deployed.current
    deployed.upstream.commit(version=2)
    begun = int(time.time())
    assert deployed.run().result is Result.UPDATED

    (line,) = stashes(deployed)
    name, subject, at = line.split("|")
    assert name == "stash@{0}"
    assert re.search(rf"local changes in release {left}, saved \d{{4}}-\d\d-\d\dT\S+Z", subject)
    assert begun - 1 <= int(at) <= time.time() + 1
    assert deployed.git("rev-parse", "stash@{0}^1") == commit

    changed = deployed.git("stash", "show", "--name-status", "-z", "stash@{0}").split("\0")
    found = dict(zip(changed[1::2], changed[0::2], strict=False))
    assert found == {
        "README.md": "M",
        "docs/index.md": "D",
        "ipfs_accelerate_py/data/table.bin": "M",
        "ipfs_accelerate_py/serve.py": "M",
        "link": "A",
        "new/ümlaut and space/ a\tfile\n*[x].txt ": "A",
    }
    assert deployed.git("show", "stash@{0}:README.md") == original + "changed by hand"
    stored = deployed.git("cat-file", "-s", "stash@{0}:ipfs_accelerate_py/data/table.bin")
    assert stored == str(len(binary))
    mode = deployed.git("ls-tree", "stash@{0}", "ipfs_accelerate_py/serve.py").split()[0]
    assert mode == "100755"

    # The release is not modified, as processes may still run from it.
    old = Path(deployed.app_paths.release(left))
    after = sorted(
        (str(path), path.lstat().st_mode, path.lstat().st_size)
        for path in old.rglob("*")
        if ".git" not in path.parts
    )
    assert after == before
    assert not (deployed.path / "link").is_symlink(), "the new release is upstream's"

    (told,) = deployed.log.messages("stashed")
    assert left in told
    assert "README.md" in told
    assert f"git -C {deployed.app_paths.mirror} stash list" in told


NOT_NORMALISED = {
    "line ends": ("*.sh text eol=lf", "run.sh", b"#!/bin/sh\r\necho\r\n"),
    "encoding": ("*.wide text working-tree-encoding=UTF-16LE", "a.wide", b"\xff\xfea\0\n\0"),
    "ident": ("*.c ident", "main.c", b"/* $Id: 0123 $ */\n"),
    "filter": ("*.bin filter=missing", "a b.bin", b"\0\1\r\n"),
}


@pytest.mark.parametrize("kind", NOT_NORMALISED)
def test_normalisation_is_no_change(deployed: Site, kind: str) -> None:
    """The blob is not what git would make of the file, although nobody changed the file."""
    attributes, name, content = NOT_NORMALISED[kind]
    deployed.builds = False
    for version in (2, 3, 4):
        commit_bytes(deployed, version, f"{attributes}\n", name, content)
        assert deployed.run().result is Result.UPDATED
        for file in deployed.release.rglob("*"):
            # As after a copy or a change of owner: git compares the contents.
            os.utime(file, (1, 1), follow_symlinks=False)
        if version == 3:
            edited = (deployed.release / name).read_bytes() + b"an edit"
            (deployed.release / name).write_bytes(edited)
    assert len(stashes(deployed)) == 1
    assert deployed.git("stash", "show", "--name-only", "stash@{0}") == name
    command = ["git", "-C", deployed.app_paths.mirror, "cat-file", "blob", f"stash@{{0}}:{name}"]
    assert subprocess.check_output(command) == edited
    (told,) = deployed.log.messages("stashed")
    assert f"({name})" in told


def commit_bytes(site: Site, version: int, attributes: str, name: str, content: bytes) -> None:
    """Publish a version with a file whose blob has exactly this content."""
    upstream = site.upstream
    upstream.commit(version, files={".gitattributes": attributes}, push=False)
    (upstream.work / ".git/info/attributes").write_text("* -text -ident -working-tree-encoding\n")
    (upstream.work / name).write_bytes(content)
    upstream.git("add", "--force", name)
    upstream.git("commit", "--quiet", "--amend", "--no-edit")
    upstream.push()


def test_stash_can_be_applied(deployed: Site) -> None:
    """In the mirror, whose work tree is the current release, with the command in the log line."""
    (deployed.release / "README.md").write_text("mine\n")
    (deployed.release / "untracked.txt").write_text("mine, too\n")
    deployed.upstream.commit(version=2)
    deployed.run()
    shown = deployed.git("stash", "show", "--patch", "stash@{0}")
    assert "+mine" in shown
    assert "+mine, too" in shown


def test_same_changes_are_saved_once(deployed: Site) -> None:
    """A second switch away from the same release, for another reason, saves nothing twice."""
    (deployed.release / "README.md").write_text("mine\n")
    deployed.upstream.commit(version=2)
    app = deployed.app()
    for _ in range(2):
        app.worker.save_local_changes(deployed.current, ("state", "logs"), "twice")
    assert len(stashes(deployed)) == 1
    (deployed.release / "README.md").write_text("mine again\n")
    app.worker.save_local_changes(deployed.current, ("state", "logs"), "other")
    assert len(stashes(deployed)) == 2
    app.worker.close()
    app.records.close()


def test_changes_in_two_releases_are_both_kept(deployed: Site) -> None:
    for version in (2, 3):
        (deployed.release / "README.md").write_text(f"mine in {version - 1}\n")
        deployed.upstream.commit(version=version)
        assert deployed.run().result is Result.UPDATED
    assert [deployed.git("show", f"stash@{{{number}}}:README.md") for number in (0, 1)] == [
        "mine in 2", "mine in 1",
    ]  # fmt: skip


def test_shared_paths_are_seeded_only_once(deployed: Site) -> None:
    (deployed.path / "state/starts").write_text("99\n")
    deployed.upstream.commit(version=2, files={"state/starts": "upstream's\n", "logs/README": None})
    assert deployed.run().result is Result.UPDATED
    assert (deployed.path / "state/starts").read_text() == "99\n"
    assert (deployed.path / "logs/README").exists()
    assert (deployed.path / "logs").is_symlink()


def test_shared_path_that_is_added_later(deployed: Site) -> None:
    deployed.configure(shared=["state", "logs", "docs/tables", "made/up"])
    deployed.upstream.commit(version=2, files={"docs/tables/new.csv": "1,2\n"})
    assert deployed.run().result is Result.UPDATED
    assert (deployed.path / "docs/tables").is_symlink()
    assert (deployed.path / "docs/tables/new.csv").read_text() == "1,2\n"
    assert os.listdir(deployed.path / "made/up") == []
    shared = Path(deployed.app_paths.shared)
    assert sorted(os.listdir(shared)) == ["docs", "logs", "made", "state"]
    assert not [name for name in os.listdir(deployed.app_paths.home) if name.startswith("seed")]


def commit_with_link(site: Site, path: str, target: str) -> None:
    """Publish version 2, in which a path is a symbolic link."""
    site.upstream.commit(version=2, push=False)
    (site.upstream.work / path).symlink_to(target)
    site.upstream.git("add", "--all")
    site.upstream.git("commit", "--quiet", "--amend", "--no-edit")
    site.upstream.push()


def test_shared_path_behind_a_link_of_upstream(deployed: Site) -> None:
    """A link in the repository must not make our own link end up outside of the release."""
    outside = deployed.directory / "outside"
    outside.mkdir()
    before = deployed.current
    # The guard is off, to test the check after it.
    deployed.configure(shared=["state", "logs", "data/models"], guard__outside_links=["data"])
    commit_with_link(deployed, "data", str(outside))
    outcome = deployed.run()
    assert outcome.result is Result.FAILED
    assert "data/models" in outcome.reason
    assert deployed.current == before
    assert os.listdir(outside) == []


@pytest.mark.parametrize(
    ("target", "seeded"),
    [
        ("ipfs_accelerate_py/data", ["models.json", "table.bin"]),
        # A dangling link becomes a directory that services may fill.
        ("ipfs_accelerate_py/none", []),
        ("models", []),
    ],
)
def test_shared_path_that_is_a_link_in_the_release(
    deployed: Site, target: str, seeded: list[str]
) -> None:
    deployed.configure(shared=["state", "logs", "models"], guard__outside_links=["models"])
    deployed.builds = False
    commit_with_link(deployed, "models", target)
    assert deployed.run().result is Result.UPDATED
    shared = Path(deployed.app_paths.shared, "models")
    assert not shared.is_symlink()
    assert sorted(os.listdir(shared)) == seeded


def test_shared_file_that_is_a_link_in_the_release(deployed: Site) -> None:
    deployed.configure(shared=["state", "logs", "models.json"])
    deployed.builds = False
    commit_with_link(deployed, "models.json", "ipfs_accelerate_py/data/models.json")
    assert deployed.run().result is Result.UPDATED
    shared = Path(deployed.app_paths.shared, "models.json")
    assert not shared.is_symlink()
    upstreams = deployed.release / "ipfs_accelerate_py/data/models.json"
    assert shared.read_bytes() == upstreams.read_bytes()
    assert not os.path.samefile(shared, upstreams)


@pytest.mark.parametrize("target", ["/etc", "../../../state.db", ".."])
def test_shared_path_that_is_a_link_out_of_the_release(deployed: Site, target: str) -> None:
    before = deployed.current
    deployed.configure(shared=["state", "logs", "models"], guard__outside_links=["models"])
    commit_with_link(deployed, "models", target)
    outcome = deployed.run()
    assert outcome.result is Result.FAILED
    assert "shared path models is a link that leads out of the release" in outcome.reason
    assert (deployed.current, deployed.releases()) == (before, [before])
    assert sorted(os.listdir(deployed.app_paths.shared)) == ["logs", "state"]
    assert not os.path.exists(f"{deployed.app_paths.home}/seed")


def test_shared_paths_of_an_app_without_services(deployed: Site) -> None:
    """There is no services' user to wait for, so they are open at once."""
    assert os.stat(deployed.app_paths.shared).st_mode & 0o777 == 0o755
    assert deployed.run().result is Result.CURRENT
    assert runtime_files.is_fresh(deployed.app_paths), "the next start need not wait for a check"
