"""What a commit would bring, seen without checking it out: what guard.py judges.

Runs in the worker, as the builds' user. Everything here was chosen by upstream: it is read as
bytes that end with a NUL, counted while it comes in, and given up where it has no end.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from autoupdate.host.process import start
from autoupdate.model.errors import HostFaultError, UpdateFailedError
from autoupdate.model.findings import Findings

# A tree that names one subtree many times over has more files than any disk.
MOST_FILES = 500_000
# Of a long list of offences the first ones say enough.
MOST_NAMED = 20
LONGEST_NAMED = 200
# A file takes whole blocks of the disk, however small it is.
BLOCK = 4096
# What symlink(7) and the kernel allow.
LONGEST_LINK = 4096
MOST_LINKS_FOLLOWED = 40
MOST_LINKS = 10_000
LONGEST_COMMIT = 1_000_000
# Line feeds and the like, and what turns the direction of writing (Unicode TR 9): names that do
# not look like what they are.
MISLEADING = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# What is no name of a file, and the directory of our own that a release has.
NO_NAME = re.compile(r"(^|/)\.{0,2}(/|$)|^\.venv(/|$)")
# What some file systems leave out of a name, so that it may mean .git there (git-fsck(1)).
IGNORED = re.compile(r"[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]|[. ]+$|:.*")
REPOSITORY = frozenset({".git", "git~1"})


class Entry(NamedTuple):
    """One entry of a tree; `size` is zero for what is no file."""

    mode: int
    object: str
    size: int
    path: str


class Survey:
    """Counts the entries of a tree as they come in."""

    def __init__(self, asked: Iterable[str]) -> None:
        self.asked = frozenset(asked)
        self.files = self.bytes = self.largest = 0
        self.largest_path = ""
        self.misleading: list[str] = []
        self.links: dict[str, str] = {}
        """The object of each symbolic link, by its path."""
        self.submodules: list[str] = []
        """Those that are asked for first."""
        self.present: set[str] = set()

    def add(self, entry: Entry) -> None:
        """Count one entry."""
        self.files += 1
        self.bytes += -(-entry.size // BLOCK) * BLOCK
        if entry.size > self.largest:
            self.largest, self.largest_path = entry.size, entry.path
        if is_misleading(entry.path):
            self.misleading.append(entry.path)
        if stat.S_ISLNK(entry.mode):
            self.links[entry.path] = entry.object
        elif entry.mode == 0o160000:
            asked = entry.path in self.asked
            self.submodules.insert(0 if asked else len(self.submodules), entry.path)
        if self.asked:
            self.present |= self.asked & set(with_parents(entry.path))


def inspect(repository: str, commit: str, deployed: str, asked: Iterable[str]) -> Findings:
    """Compare a commit of a repository with the deployed one (empty: none, or not known there).

    `asked` are the paths of which `present` tells those that the commit has.
    Raises UpdateFailedError when git cannot read the commit.
    """
    survey = Survey(asked)
    complete = True
    for entry in tree(repository, commit):
        if survey.files >= MOST_FILES or len(survey.links) > MOST_LINKS:
            complete = False
            break
        survey.add(entry)
    contents = objects(repository, [commit, *survey.links.values()])
    committed_at = commit_time(contents.pop(commit, b""))
    targets = {
        path: os.fsdecode(contents.get(name, b"")) for path, name in survey.links.items()
    }  # fmt: skip
    added = deleted = modified = 0
    compared = bool(deployed) and complete and has(repository, deployed)
    for status in changes(repository, deployed, commit) if compared else ():
        added += status == "A"
        deleted += status == "D"
        modified += status in "MT"
    return Findings(
        committed_at, survey.files, survey.bytes,
        survey.largest, survey.largest_path[:LONGEST_NAMED],
        survey.files - added + deleted if compared else 0, deleted, modified,
        named(survey.misleading), named(leaving(targets)), named(survey.submodules),
        tuple(sorted(survey.present)), complete,
    )  # fmt: skip


def is_misleading(path: str) -> bool:
    """Tell whether a path holds a name that may pass for another one, or that is git's or ours."""
    if MISLEADING.search(path) or NO_NAME.search(path):
        return True
    # The cheap question first: most names cannot mean that.
    suspicious = not path.isascii() or "git" in path.lower()
    return suspicious and any(
        IGNORED.sub("", part).casefold() in REPOSITORY for part in path.split("/")
    )


def named(paths: list[str]) -> tuple[str, ...]:
    """Return the first paths of a list, none of them very long."""
    return tuple(path[:LONGEST_NAMED] for path in paths[:MOST_NAMED])


def with_parents(path: str) -> Iterator[str]:
    """Yield a path and every directory that it lies in."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def leaving(links: Mapping[str, str]) -> list[str]:
    """Return the symbolic links, by path and target, that lead out of the tree; or nowhere."""
    return sorted(path for path in links if not stays(path, links))


def stays(path: str, links: Mapping[str, str]) -> bool:
    """Tell whether a link stays in the tree, as the kernel follows it (path_resolution(7))."""
    place: list[str] = []
    pending = path.split("/")[::-1]
    followed = 0
    while pending:
        part = pending.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not place:
                return False
            place.pop()
            continue
        target = links.get("/".join([*place, part]))
        if target is None:
            place.append(part)
            continue
        followed += 1
        if target.startswith("/") or followed > MOST_LINKS_FOLLOWED:
            return False
        pending += target.split("/")[::-1]
    return True


def tree(repository: str, commit: str) -> Iterator[Entry]:
    """Yield the entries of a commit's tree (git-ls-tree(1))."""
    words = ["ls-tree", "-r", "-z", "-l", "--full-tree", commit]
    for record in answers(repository, words):
        facts, _, path = record.partition(b"\t")
        mode, _, name, size = facts.split()
        if not size.isdigit() and size != b"-":
            # Git lists what it cannot read, and ends well.
            raise UpdateFailedError(f"git cannot read object {name.decode()}")
        yield Entry(int(mode, 8), name.decode(), int(size) if size != b"-" else 0,
                    os.fsdecode(path))  # fmt: skip


def has_an_end(repository: str, commit: str) -> bool:
    """Tell whether the tree of a commit is one that git can compare: it holds all of it first."""
    names = answers(repository, ["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit])
    return sum(1 for _ in islice(names, MOST_FILES + 1)) <= MOST_FILES


def changes(repository: str, old: str, new: str) -> Iterator[str]:
    """Yield the letter of each file that differs between two commits (git-diff-tree(1))."""
    words = ["diff-tree", "-r", "-z", "--no-renames", "--name-status", old, new, "--"]
    letters = answers(repository, words)
    for status in letters:
        next(letters)
        yield status.decode()


def has(repository: str, commit: str) -> bool:
    """Tell whether a repository has a commit with its tree."""
    answer = ask(repository, ["cat-file", "--batch-check"], [f"{commit}^{{tree}}"])
    return not answer.endswith(b" missing\n")


def full_name(repository: str, name: str) -> str:
    """Return the full name of the one commit whose name begins like that; empty for none.

    Raises UpdateFailedError when git cannot say.
    """
    answer = ask(repository, ["cat-file", "--batch-check=%(objectname)"], [f"{name}^{{commit}}"])
    found = answer.decode(errors="replace").strip()
    return found if re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", found) else ""


def objects(repository: str, names: list[str]) -> dict[str, bytes]:
    """Return the contents of a commit and of symbolic links, but of none that is too long."""
    asked = list(dict.fromkeys(names))
    sizes = ask(repository, ["cat-file", "--batch-check=%(objectsize)"], asked)
    limits = [LONGEST_COMMIT, *[LONGEST_LINK] * (len(asked) - 1)]
    lines = sizes.decode(errors="replace").splitlines()
    short = [
        name
        for name, line, most in zip(asked, lines, limits, strict=True)
        if line.isdecimal() and int(line) <= most
    ]
    answer = ask(repository, ["cat-file", "--batch"], short)
    found = {}
    begin = 0
    for name in short:
        head = answer.index(b"\n", begin)
        end = head + 1 + int(answer[begin:head].split()[2])
        found[name] = answer[head + 1 : end]
        begin = end + 1
    return found


def commit_time(content: bytes) -> int:
    """Return when a commit was made by its own word, in seconds since 1970."""
    head = content.partition(b"\n\n")[0]
    match = re.search(rb"^committer .*> ([0-9]{1,12}) ", head, re.MULTILINE)
    return int(match[1]) if match else 0


def answers(repository: str, words: list[str]) -> Iterator[bytes]:
    """Yield what git prints, NUL by NUL, as it comes. Raises UpdateFailedError."""
    process = start(["git", *words], environment=environment(repository), own_session=False)
    assert process.stdout is not None  # noqa: S101 - for the type checker: a pipe
    ended = False
    try:
        rest = b""
        while chunk := process.stdout.read(1 << 16):
            *records, rest = (rest + chunk).split(b"\0")
            yield from records
        ended = True
    finally:
        # Whoever has heard enough does not wait for the end.
        if not ended:
            process.kill()
        status = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
    if status:
        raise failure(words[0], status)


def ask(repository: str, words: list[str], names: list[str]) -> bytes:
    """Ask git about objects by name; return what it prints. Raises UpdateFailedError."""
    process = start(["git", *words], environment=environment(repository), own_session=False)
    answer, _ = process.communicate("".join(f"{name}\n" for name in names).encode())
    if process.returncode:
        raise failure(words[0], process.returncode)
    return answer


def failure(verb: str, status: int) -> UpdateFailedError:
    """Return the error for a git process that did not end well."""
    if status < 0:
        return HostFaultError(f"git {verb} was killed by signal {-status}")
    return UpdateFailedError(f"git {verb} failed with status {status}")


def environment(repository: str) -> dict[str, str]:
    """Return the environment of git in a repository, of which no work tree is looked at."""
    return {**os.environ, "GIT_DIR": repository, "GIT_WORK_TREE": repository}
