"""Files in Git LFS: refused, or fetched by git-lfs; never deployed as pointers."""

import hashlib
import os
from pathlib import Path

import pytest

from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from tests.integration.site import Site
from tools.lib.hosts.commands import run
from tools.lib.hosts.lfs import pointer

ATTRIBUTES = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
FIRST, SECOND = b"first\0" * 1000, b"second\r\n" * 500


def commit(site: Site, version: int, files: dict[str, bytes], **more: str | None) -> str:
    """Publish a version whose files are in Git LFS."""
    for content in files.values():
        site.server.lfs[hashlib.sha256(content).hexdigest()] = content
    texts = {path: pointer(content) for path, content in files.items()}
    return site.upstream.commit(version, files={".gitattributes": ATTRIBUTES, **texts, **more})


@pytest.fixture
def with_lfs(quick: Site) -> Site:
    """Return a host that may fetch files from Git LFS."""
    quick.configure(upstream__lfs=True)
    return quick


def stored(site: Site) -> set[str]:
    """Return the objects in the store of the mirror."""
    return {name for _, _, names in os.walk(f"{site.app_paths.mirror}/lfs") for name in names}


def test_pointers_are_refused(quick: Site) -> None:
    """The gate names some files and both ways out; other pointers and other small files pass."""
    harmless = {"docs/pointer.txt": pointer(b"x"), "small.bin": "no pointer\n" * 20}
    assert quick.updates_to(commit(quick, 2, {}, **harmless))
    commit(quick, 3, {f"data/{number}.bin": FIRST for number in range(40)}, **harmless)
    outcome = quick.run()
    assert (outcome.result, outcome.exit_code) == (Result.DEFERRED, Exit.DONE)
    assert "it stores 40 files (234.4 KiB) in Git LFS, and only pointers" in outcome.reason
    assert "data/0.bin, data/1.bin" in outcome.reason
    assert "and 35 more" in outcome.reason
    assert "upstream.lfs = true" in outcome.advice
    assert "apt install git-lfs" in outcome.advice
    # Not by forgetting what the pointers need to be recognised.
    text = quick.upstream.commit(4, files={"data/0.bin": pointer(FIRST)})
    assert quick.updates_to(text)


def test_files_are_fetched(with_lfs: Site) -> None:
    first = commit(with_lfs, 2, {"data/a b.bin": FIRST, "top.bin": SECOND})
    # What upstream says about where to fetch from does not count.
    evil = {".lfsconfig": "[lfs]\n\turl = http://127.0.0.1:1/\n\tfetchexclude = *\n"}
    first = commit(with_lfs, 3, {"data/a b.bin": FIRST, "top.bin": SECOND}, **evil)
    assert with_lfs.updates_to(first), with_lfs.log.events[-1].message
    release = with_lfs.release
    assert (release / "data/a b.bin").read_bytes() == FIRST
    assert (release / "top.bin").read_bytes() == SECOND
    # Only what is new is fetched; what no release of this commit needs is removed.
    with_lfs.server.lfs = {}
    second = commit(with_lfs, 4, {"top.bin": b"new"})
    assert with_lfs.updates_to(second), with_lfs.log.events[-1].message
    assert stored(with_lfs) == {hashlib.sha256(b"new").hexdigest()}
    with_lfs.upstream.commit(5, files={".gitattributes": ATTRIBUTES, "top.bin": pointer(b"new")})
    assert with_lfs.run().result is Result.UPDATED
    assert (release / "top.bin").read_bytes() == SECOND
    assert with_lfs.log.messages("stashed") == []


def test_local_change_of_such_a_file(with_lfs: Site) -> None:
    commit(with_lfs, 2, {"a.bin": FIRST, "b.bin": SECOND})
    assert with_lfs.run().result is Result.UPDATED
    (with_lfs.release / "a.bin").write_bytes(b"mine")
    commit(with_lfs, 3, {"a.bin": FIRST, "b.bin": SECOND})
    assert with_lfs.run().result is Result.UPDATED
    assert with_lfs.git("stash", "show", "--name-only", "stash@{0}") == "a.bin"
    assert with_lfs.git("cat-file", "blob", "stash@{0}:a.bin") == "mine"


def test_git_in_the_release_sees_no_change(deployed: Site) -> None:
    """Versions that come from Git would say that somebody changed something."""
    deployed.configure(upstream__lfs=True)
    deployed.upstream.tag("v2.0", commit(deployed, 2, {"a.bin": FIRST}))
    assert deployed.run().result is Result.UPDATED
    assert (deployed.release / "a.bin").read_bytes() == FIRST
    said = run("git", "-C", deployed.release, "describe", "--tags", "--dirty").stdout
    assert said == "v2.0\n"


def test_without_git_lfs(with_lfs: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(with_lfs, 2, {"a.bin": FIRST})
    programs = with_lfs.directory / "programs"
    programs.mkdir()
    for name in ("git", "python3"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    with monkeypatch.context() as patch:
        patch.setattr("autoupdate.host.process.SEARCH_PATH", str(programs))
        outcome = with_lfs.run()
    assert "in Git LFS, and git-lfs is not installed: a.bin" in outcome.reason
    assert outcome.advice == "apt install git-lfs"
    assert with_lfs.run(force=True).result is Result.UPDATED


def test_more_than_a_fetch_may_bring(with_lfs: Site) -> None:
    with_lfs.configure(upstream__lfs=True, guard__max_fetch="1MiB")
    commit(with_lfs, 2, {"a.bin": bytes(2 << 20)})
    assert "(2 MiB) in Git LFS, more than guard.max_fetch = 1 MiB" in with_lfs.run().reason
    with_lfs.configure(upstream__lfs=True, guard__max_release="1MiB")
    assert "more than guard.max_release = 1 MiB" in with_lfs.run(force=True).reason
    # A server that sends another file than the pointer says.
    commit(with_lfs, 3, {"a.bin": b"small"})
    with_lfs.server.lfs = dict.fromkeys(with_lfs.server.lfs, bytes(8 << 20))
    with_lfs.configure(upstream__lfs=True)
    outcome = with_lfs.run()
    assert outcome.exit_code == Exit.UNREACHABLE, outcome
    assert stored(with_lfs) == set()
    assert with_lfs.releases() == [with_lfs.current]


def test_server_that_lacks_a_file(with_lfs: Site) -> None:
    """Nobody puts a commit into quarantine for that, and the reason names the server."""
    left = with_lfs.current
    done = commit(with_lfs, 2, {"a.bin": FIRST})
    with_lfs.server.lfs = {}
    outcome = with_lfs.run()
    assert outcome.exit_code == Exit.UNREACHABLE, outcome
    assert f"Git LFS of {with_lfs.upstream.url} did not send 1 file: " in outcome.reason
    assert "does not exist" in outcome.reason
    assert with_lfs.releases() == [left]
    commit(with_lfs, 2, {"a.bin": FIRST})
    assert with_lfs.run(force=True).result is Result.UPDATED
    assert done


def test_login(with_lfs: Site) -> None:
    """git-lfs uses the credentials of upstream."""
    commit(with_lfs, 2, {"a.bin": FIRST})
    with_lfs.server.login = "x-access-token:s3cret"
    token = with_lfs.directory / "token"
    token.write_text("s3cret\n")
    token.chmod(0o600)
    with_lfs.configure(upstream__lfs=True, upstream__token_file=str(token))
    assert with_lfs.run().result is Result.UPDATED
    assert (with_lfs.release / "a.bin").read_bytes() == FIRST
    everything = run("grep", "-r", "s3cret", with_lfs.root, check=False).stdout
    assert everything == ""


def test_damaged_store(with_lfs: Site) -> None:
    commit(with_lfs, 2, {"a.bin": FIRST})
    assert with_lfs.run().result is Result.UPDATED
    (name,) = stored(with_lfs)
    (file,) = Path(with_lfs.app_paths.mirror, "lfs").rglob(name)
    file.chmod(0o644)
    file.write_bytes(SECOND)
    commit(with_lfs, 3, {"a.bin": FIRST})
    assert with_lfs.run().result is Result.UPDATED
    assert (with_lfs.release / "a.bin").read_bytes() == FIRST


def test_server_that_is_silent(with_lfs: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit ends git-lfs, too."""
    commit(with_lfs, 2, {"a.bin": FIRST})
    with_lfs.server.lfs_silence = 600
    with monkeypatch.context() as patch:
        patch.setattr("autoupdate.worker.client.LARGE_FETCH", 0.1)
        outcome = with_lfs.run()
    assert outcome.exit_code == Exit.UNREACHABLE, outcome
    assert "the fetch from Git LFS did not end within 3 s" in outcome.reason
    with_lfs.server.lfs_silence = 0
    assert with_lfs.run(force=True).result is Result.UPDATED
