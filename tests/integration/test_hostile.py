"""A corpus of hostile repositories: no attack succeeds, and each time the host reports it.

What setup.py does in a build is in test_confinement.py, submodules in test_submodules.py, and
answers without an end in test_endless.py. The limits are lower here than the defaults, so that
the tests are fast.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoupdate.model.commits import short
from autoupdate.model.steps import Result
from tests.integration.site import Site
from tools.lib.hosts.hostile import NO_COMMIT, PROGRAM, SUBMODULE, Entry, Hostile, marker

Attack = Callable[[Hostile, Path], list[Entry]]

REFUSED: dict[str, tuple[Attack, str]] = {
    ".git with a hook": (
        lambda h, owned: [
            h.directory(b".git", h.directory(b"hooks", Entry(
                PROGRAM, b"post-checkout", h.blob(b"#!/bin/sh\ntouch %s\n" % bytes(owned)))))
        ],
        "misleading file names: .git/hooks/post-checkout",
    ),
    ".GIT": (lambda h, _: [h.directory(b".GIT", h.file(b"config"))], "file names: .GIT/config"),
    "git~1": (lambda h, _: [h.directory(b"git~1", h.file(b"config"))], "file names: git~1/config"),
    ".git with an invisible letter": (
        lambda h, _: [h.directory(".g\u200cit".encode(), h.file(b"config"))], r".g\u200cit/config",
    ),
    "a parent directory": (
        lambda h, _: [h.directory(b"..", h.file(b"owned"))], "file names: ../owned",
    ),
    "a submodule called .git": (
        lambda h, _: [h.directory(b"x", Entry(SUBMODULE, b".git", NO_COMMIT))], "names: x/.git",
    ),
    "a line feed": (lambda h, _: [h.file(b"a\nFAILED: b")], r"file names: a\nFAILED: b"),
    "control characters": (lambda h, _: [h.file(b"a\x1b[2J\x07")], r"file names: a\x1b[2J\x07"),
    "bidirectional text": (lambda h, _: [h.file("a\u202egpj.exe".encode())], r"a\u202egpj.exe"),
    "our environment": (lambda h, _: [h.directory(b".venv", h.file(b"x"))], "file names: .venv/x"),
    "a link in place of our environment": (lambda h, _: [h.link(b".venv", b"README")], ": .venv;"),
    "a link to a file of the host": (
        lambda h, _: [h.link(b"passwd", b"/etc/passwd")], "point outside the release: passwd",
    ),
    "a link to a directory above": (
        lambda h, _: [h.link(b"b", b"..")], "outside the release: b",
    ),
    "a link by way of a link": (
        lambda h, _: [h.directory(b"a", h.link(b"up", b"..")), h.link(b"z", b"a/up/../x")],
        "outside the release: z",
    ),
    "a tree without an end": (lambda h, _: [h.bomb(b"bomb")], "files or links, too many to check"),
    "a hundred thousand files": (
        lambda h, _: [h.many(b"many", 100_000)], "more than guard.max_release = 95.37 MiB",
    ),
    "one huge file": (
        lambda h, _: [h.file(b"huge", bytes(150 << 20))], "the largest is huge (150 MiB)",
    ),
}  # fmt: skip

TAKEN: dict[str, Attack] = {
    "names like options": lambda h, owned: [
        h.file(name.replace(b"OWNED", bytes(owned).replace(b"/", b"_")))
        for name in (b"-rf", b"--help", b"--exec=touch OWNED", b"$(touch OWNED)", b"; reboot")
    ],
    "filters and attributes": lambda h, owned: [
        h.file(b".gitattributes", b"* filter=evil diff=evil merge=evil ident\n"),
        h.file(b".gitconfig", b'[filter "evil"]\n\tsmudge = touch %s\n' % bytes(owned)),
        h.file(b".lfsconfig", b"[lfs]\n\turl = ext::touch\n"),
    ],
    "case twins": lambda h, _: [h.file(name, name) for name in (b"Twin", b"twin", b"TWIN")],
    "names that are no UTF-8": lambda h, _: [h.file(b"\xff\xfe"), h.file(b"caf\xe9")],
    "a submodule that runs a program": lambda h, owned: [
        h.file(b".gitmodules", b'[submodule "x"]\n\tpath = x\n\turl = ext::touch %s\n'
               b"\tupdate = !touch %s\n" % (bytes(owned), bytes(owned))),
        Entry(SUBMODULE, b"x", NO_COMMIT),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def victim(quick_directory: Path) -> Iterator[tuple[Site, Hostile]]:
    """Return a host with version 1, which all attacks use one after the other."""
    directory = quick_directory / "hostile"
    directory.mkdir()
    site = Site.new(directory)
    site.builds = False
    site.configure(
        guard__max_release="100MB",
        guard__max_fetch="20MB",
        upstream__allow_rewrite=True,
    )
    assert site.run().exit_code == 0
    hostile = Hostile(site.upstream)
    # Refs whose names look like options; they exist during all tests.
    for ref in ("--upload-pack=touch", "-x", "$(reboot)", "ä\u202e"):
        hostile.git("update-ref", f"refs/heads/{ref}", site.upstream.head())
    hostile.git("update-ref", f"refs/replace/{NO_COMMIT}", site.upstream.head())
    yield site, hostile
    site.server.stop()
    shutil.rmtree(directory)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(victim: tuple[Site, Hostile], name: str) -> None:
    site, hostile = victim
    attack, said = REFUSED[name]
    owned = marker(site.directory)
    commit = hostile.publish(*attack(hostile, owned))
    before = site.current
    outcome = site.run()
    assert (outcome.result, outcome.commit) == (Result.DEFERRED, commit)
    assert said in outcome.reason
    assert outcome.reason.isprintable()
    assert site.current == before
    assert site.releases() == [before] or before in site.releases()
    assert not owned.exists()


@pytest.mark.parametrize("name", TAKEN)
def test_accepted_and_harmless(victim: tuple[Site, Hostile], name: str) -> None:
    site, hostile = victim
    owned = marker(site.directory)
    entries = TAKEN[name](hostile, owned)
    commit = hostile.publish(*entries)
    assert site.updates_to(commit)
    there = os.listdir(bytes(site.release))
    assert {entry.name for entry in entries} <= set(there)
    assert not owned.exists()
    assert not list(site.directory.glob("*owned*"))


def test_path_longer_than_the_kernel_takes(victim: tuple[Site, Hostile]) -> None:
    """It cannot be checked out, which is the commit's fault."""
    site, hostile = victim
    entry = hostile.file(b"f")
    for _ in range(40):
        entry = hostile.directory(b"d" * 200, entry)
    commit = hostile.publish(entry)
    outcome = site.run()
    assert outcome.result is Result.FAILED
    assert f"commit {short(commit)} cannot be checked out" in outcome.reason
    assert site.run().result is Result.DEFERRED


def test_subject_of_a_commit(victim: tuple[Site, Hostile]) -> None:
    """A subject that would add a line to the log, and move the cursor."""
    site, hostile = victim
    said = b"x\x1b[2J\r[2026-01-01 00:00:00] Successfully updated to commit: \xff\n\nmore"
    commit = hostile.publish(message=said)
    outcome = site.run()
    assert (outcome.result, outcome.commit) == (Result.UPDATED, commit), outcome.reason[-300:]


def test_a_good_commit_after_all_of_that(victim: tuple[Site, Hostile]) -> None:
    site, hostile = victim
    assert site.updates_to(hostile.publish())
    # The mirror is still sound.
    assert site.git("fsck", "--connectivity-only", "--no-dangling") == ""
