"""Repositories that attack those who fetch or check them out; written object by object.

Git's own commands refuse to create some of these objects; an attacker's server would not.
"""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tools.lib.hosts.upstream import Upstream

FILE, PROGRAM, LINK, TREE, SUBMODULE = "100644", "100755", "120000", "40000", "160000"
NO_COMMIT = "12" * 20


class Entry(NamedTuple):
    """One entry of a tree."""

    mode: str
    name: bytes
    object: str


class Hostile:
    """Makes commits on the branch that hosts follow, in addition to those of upstream."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.count = 0

    def git(self, *words: str, stdin: bytes = b"") -> str:
        """Run git in the served repository."""
        done = subprocess.run(
            ["git", "-c", "core.compression=1", *words],
            cwd=self.upstream.bare, env=self.upstream.environment, input=stdin,
            capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        return done.stdout.decode(errors="surrogateescape").strip()

    def blob(self, content: bytes) -> str:
        """Write a blob."""
        return self.git("hash-object", "-w", "--stdin", stdin=content)

    def tree(self, entries: Iterable[Entry]) -> str:
        """Write a tree with any names, in Git's order."""

        def place(entry: Entry) -> bytes:
            return entry.name + (b"/" if entry.mode == TREE else b"")

        content = b"".join(
            entry.mode.encode() + b" " + entry.name + b"\0" + bytes.fromhex(entry.object)
            for entry in sorted(entries, key=place)
        )
        words = ("hash-object", "-t", "tree", "--literally", "-w", "--stdin")
        return self.git(*words, stdin=content)

    def present(self) -> list[Entry]:
        """Return the top-level entries of the last good version."""
        listing = self.git("ls-tree", "-z", self.upstream.head())
        entries = []
        for record in filter(None, listing.split("\0")):
            facts, _, name = record.partition("\t")
            mode, _, object_ = facts.split()
            entries.append(Entry(mode.lstrip("0"), name.encode(), object_))
        return entries

    def publish(self, *more: Entry, message: bytes = b"harmless") -> str:
        """Point the branch to a new commit with the good entries and these."""
        names = {entry.name for entry in more}
        kept = [entry for entry in self.present() if entry.name not in names]
        tree = self.tree([*kept, *more])
        self.count += 1
        parent = self.git("rev-parse", f"refs/heads/{self.upstream.branch}")
        who = f"A <a@b.example> {1_760_000_000 + self.count} +0000"
        head = f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\n"
        content = head.encode() + message
        words = ("hash-object", "-t", "commit", "--literally", "-w", "--stdin")
        commit = self.git(*words, stdin=content)
        self.git("update-ref", f"refs/heads/{self.upstream.branch}", commit)
        return commit

    def file(self, name: bytes, content: bytes = b"x\n") -> Entry:
        """Return a file."""
        return Entry(FILE, name, self.blob(content))

    def link(self, name: bytes, target: bytes) -> Entry:
        """Return a symbolic link."""
        return Entry(LINK, name, self.blob(target))

    def directory(self, name: bytes, *entries: Entry) -> Entry:
        """Return a directory."""
        return Entry(TREE, name, self.tree(entries))

    def bomb(self, name: bytes, levels: int = 10) -> Entry:
        """Return a directory with ten times as many files for each level, from few bytes."""
        entry = self.file(b"f")
        for _ in range(levels):
            entry = self.directory(b"d", *(entry._replace(name=b"%d" % n) for n in range(10)))
        return entry._replace(name=name)

    def many(self, name: bytes, number: int) -> Entry:
        """Return a directory with many files of the same content."""
        same = self.blob(b"x\n")
        return self.directory(name, *(Entry(FILE, b"%06d" % n, same) for n in range(number)))


def marker(directory: Path) -> Path:
    """Return a file that exists only if an attack succeeded."""
    return directory / "owned"
