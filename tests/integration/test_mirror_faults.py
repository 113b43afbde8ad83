"""A mirror that a power cut, a bad disk or a person damaged: the next run repairs it by itself."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from git.exc import GitCommandError

from autoupdate.model.errors import AutoupdateError, Exit, HostFaultError, UnreachableError
from autoupdate.model.steps import Result
from autoupdate.records.records import Records
from autoupdate.worker.repository.mirror import Mirror
from tests.integration.site import Site
from tools.lib.hosts.commands import run

BLOB, TREE, COMMIT = "HEAD:README.md", "HEAD^{tree}", "HEAD"


@pytest.fixture
def deployed(deployed: Site) -> Site:
    """Return a host with version 1; no environments are built for the next ones."""
    deployed.builds = False
    return deployed


def truncate(file: Path) -> None:
    """Remove the second half of a file."""
    change(file, file.read_bytes()[: file.stat().st_size // 2])


def corrupt(file: Path) -> None:
    """Change some bytes in the middle of a file."""
    content = file.read_bytes()
    middle = len(content) // 2
    change(file, content[:middle] + bytes(255 - byte for byte in content[middle:][:9])
           + content[middle + 9 :])  # fmt: skip


def empty(file: Path) -> None:
    """Empty a file."""
    change(file, b"")


def remove(file: Path) -> None:
    """Remove a file."""
    file.unlink()


def change(file: Path, content: bytes) -> None:
    """Write in place to a file that git made read-only."""
    file.chmod(0o644)
    file.write_bytes(content)


def loose(site: Site, name: str) -> Path:
    """Return the file of an object; all objects are made loose first."""
    mirror = Path(site.app_paths.mirror)
    for pack in mirror.glob("objects/pack/*.pack"):
        content = pack.read_bytes()
        for part in mirror.glob(f"objects/pack/{pack.stem}.*"):
            part.unlink()
        run("git", "-C", mirror, "unpack-objects", "-q", input=content)
    found = run("git", "-C", site.release, "rev-parse", name).stdout.strip()
    return mirror / "objects" / found[:2] / found[2:]


def packed(site: Site, suffix: str) -> Path:
    """Return a file of the one pack that all objects are in."""
    run("git", "-C", site.app_paths.mirror, "repack", "-adq")
    (pack,) = Path(site.app_paths.mirror).glob(f"objects/pack/*.{suffix}")
    return pack


def updates_with_local_changes(site: Site) -> None:
    """Check that the next run deploys a commit and saves local changes."""
    (site.release / "README.md").write_text("mine\n")
    commit = site.upstream.commit(version=2)
    assert site.updates_to(commit), site.log.events[-1].message
    assert site.git("stash", "show", "--patch", "stash@{0}").count("+mine") == 1
    records = Records(site.app_paths.state, read_only=True)
    assert (records.quarantined(), records.unfinished()) == ([], None)
    records.close()
    assert site.updates_to(site.upstream.commit(version=3)), "nor does it hinder the next one"


@pytest.mark.parametrize(
    "left",
    [
        "index.lock", "shallow.lock", "packed-refs.lock", "refs/autoupdate/upstream.lock",
        "refs/stash.lock", "objects/pack/tmp_pack_x", "worktrees/RELEASE/index.lock",
    ],
)  # fmt: skip
def test_what_a_killed_git_left(deployed: Site, left: str) -> None:
    """Nothing else would remove a lock."""
    file = Path(deployed.app_paths.mirror, left.replace("RELEASE", deployed.current))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    updates_with_local_changes(deployed)
    assert not file.exists()
    assert deployed.log.messages("mirror-renewed") == [], "a lock is no damage"


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (BLOB, truncate), (BLOB, corrupt), (TREE, corrupt), (TREE, empty), (COMMIT, empty),
        (COMMIT, remove),
    ],
)  # fmt: skip
def test_loose_object(deployed: Site, damage: Callable[[Path], None], name: str) -> None:
    """The new commit shares the blob with the old one, so upstream does not send it again."""
    damage(loose(deployed, name))
    updates_with_local_changes(deployed)


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [("pack", truncate), ("pack", corrupt), ("pack", remove), ("idx", corrupt), ("idx", empty)],
)
def test_pack(deployed: Site, damage: Callable[[Path], None], suffix: str) -> None:
    damage(packed(deployed, suffix))
    updates_with_local_changes(deployed)


@pytest.mark.parametrize("part", range(5))
def test_zeros_in_a_pack(deployed: Site, part: int) -> None:
    """Git may then still list objects that it cannot read, and exit with 0."""
    pack = packed(deployed, "pack")
    content = pack.read_bytes()
    length = len(content) // 3
    begin = part * length // 2
    change(pack, content[:begin] + bytes(length) + content[begin + length :])
    updates_with_local_changes(deployed)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("HEAD", b"\0" * 20), ("HEAD", None), ("config", b"\0" * 200), ("config", None),
        ("refs/autoupdate/upstream", b"\0" * 41), ("refs/autoupdate/upstream", b""),
        ("packed-refs", b"\0" * 100), ("worktrees/RELEASE/index", b"\0" * 300),
    ],
    ids=lambda value: value if isinstance(value, str) else value and f"{len(value)} bytes",
)  # fmt: skip
def test_other_files(deployed: Site, file: str, content: bytes | None) -> None:
    place = Path(deployed.app_paths.mirror, file.replace("RELEASE", deployed.current))
    if content is None:
        place.unlink()
    else:
        place.write_bytes(content)
    updates_with_local_changes(deployed)


@pytest.mark.parametrize("directory", ["objects", "refs"])
def test_directory_that_is_gone(deployed: Site, directory: str) -> None:
    shutil.rmtree(Path(deployed.app_paths.mirror, directory))
    updates_with_local_changes(deployed)


def test_damage_is_reported_and_the_old_mirror_is_kept(deployed: Site) -> None:
    """The old mirror may have the only copy of stashes."""
    (deployed.release / "README.md").write_text("mine in version 1\n")
    deployed.upstream.commit(version=2)
    assert deployed.run().result is Result.UPDATED
    Path(deployed.app_paths.mirror, "HEAD").write_bytes(b"\0" * 20)
    commit = deployed.upstream.commit(version=3)
    assert deployed.updates_to(commit)
    (told,) = deployed.log.messages("mirror-renewed")
    kept = f"{deployed.app_paths.mirror}.damaged"
    assert kept in told
    Path(kept, "HEAD").write_text("ref: refs/heads/main\n")
    assert "+mine in version 1" in run("git", "-C", kept, "stash", "show", "--patch").stdout


@pytest.mark.parametrize("how", ["removed", "unknown to upstream"])
def test_nothing_to_compare_local_changes_with(deployed: Site, how: str) -> None:
    """That must not stop updates; the changes are kept in their release, and this is reported."""
    old = deployed.release
    (old / "README.md").write_text("mine\n")
    if how == "removed":
        shutil.rmtree(deployed.app_paths.mirror)
    else:
        deployed.upstream.git("checkout", "--quiet", "--orphan", "other")
        loose(deployed, TREE).unlink()
    deployed.configure(upstream__allow_rewrite=True)
    commit = deployed.upstream.commit(version=2, push=False)
    deployed.upstream.push("--force")
    assert deployed.updates_to(commit), deployed.log.events[-1].message
    assert (old / "README.md").read_text() == "mine\n"
    said = f"local changes to release {old.name} cannot be saved"
    assert [text for text in deployed.log.messages("step") if said in text]
    assert deployed.updates_to(deployed.upstream.commit(version=3))


def test_broken_history_of_upstream_is_not_damage(deployed: Site) -> None:
    """Old tools wrote commits that git calls malformed; fetching them again would not help."""
    line = run("git", "-C", deployed.upstream.work, "cat-file", "commit", "HEAD").stdout
    odd = line.replace(" +0000\n", " +000\n", 1)
    made = run(
        "git", "-C", deployed.upstream.work, "hash-object", "--literally", "-t", "commit", "-w",
        "--stdin", input=odd,
    ).stdout.strip()  # fmt: skip
    deployed.upstream.git("reset", "--quiet", "--hard", made)
    deployed.configure(upstream__allow_rewrite=True)
    commit = deployed.upstream.commit(version=2, push=False)
    deployed.upstream.push("--force")
    assert deployed.updates_to(commit)
    assert not run("git", "-C", deployed.app_paths.mirror, "fsck", check=False).ok
    deployed.configure(upstream__track=f"commit:{'12' * 20}")
    assert deployed.run().exit_code == Exit.UNREACHABLE
    assert deployed.log.messages("mirror-renewed") == []


def test_damage_on_a_host_that_is_offline(deployed: Site) -> None:
    """The deployed release is kept; the mirror is replaced when upstream is reachable again."""
    Path(deployed.app_paths.mirror, "HEAD").write_bytes(b"\0" * 20)
    commit = deployed.upstream.commit(version=2)
    before = deployed.current
    deployed.server.stop()
    deployed.configure(upstream__track=f"commit:{commit}")
    assert deployed.run().exit_code == Exit.UNREACHABLE
    assert deployed.current == before
    deployed.server.start()
    assert deployed.updates_to(commit, force=True)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("fatal: write error: No space left on device", HostFaultError),
        ("fatal: cannot create directory at 'a': Read-only file system", HostFaultError),
        ("error: RPC failed; curl 56\nfatal: early EOF", UnreachableError),
        ("fatal: couldn't find remote ref refs/heads/x", UnreachableError),
        ("fatal: something new", UnreachableError),
    ],
)
def test_whose_fault_a_failure_of_git_is(
    deployed: Site, said: str, kind: type[AutoupdateError]
) -> None:
    mirror = Mirror(deployed.app_paths.mirror)
    error = GitCommandError(["git", "fetch"], 128, said.encode())
    assert type(mirror.fault(error, UnreachableError("other"))) is kind


def test_worker_leaves_nothing_behind(deployed: Site) -> None:
    Path(deployed.app_paths.mirror, "HEAD").write_bytes(b"\0" * 20)
    deployed.updates_to(deployed.upstream.commit(version=2))
    assert {"repo.git", "repo.git.damaged"} == {
        name for name in os.listdir(deployed.app_paths.home) if name.startswith("repo")
    }


def test_check_out_that_was_killed(deployed: Site, tmp_path: Path) -> None:
    """Until it is complete, git locks its record, and does not prune it (git-worktree(1))."""
    mirror = Mirror(deployed.app_paths.mirror)
    commit = mirror.open().rev_parse("refs/autoupdate/upstream")
    release = str(tmp_path / "20260101T000000Z-0123456789ab")
    records = Path(deployed.app_paths.mirror, "worktrees")
    before = set(os.listdir(records))
    mirror.check_out(release, commit)
    (record,) = set(os.listdir(records)) - before
    (records / record / "locked").write_text("initializing\n")
    shutil.rmtree(release)
    # In the same second, the next run uses the same name.
    mirror.check_out(release, commit)
    (records / record / "locked").write_text("initializing\n")
    shutil.rmtree(release)
    mirror.forget(release)
    assert set(os.listdir(records)) == before
