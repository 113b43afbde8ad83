"""What a commit contains, found without checking it out; gates/guard.py judges that.

Runs in the worker, as the builds' user. Upstream controls everything that is read here. So it is
read as records that end with NUL and counted as it arrives, and reading stops at a limit.
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

# A tree can name one subtree many times, and so have more files than any disk.
MOST_FILES = 500_000
# How many paths are reported of each list, and how much of each path.
MOST_NAMED = 20
LONGEST_NAMED = 200
# All links that lead out are reported, as the settings allow some: so many, and so many characters.
MOST_OUTSIDE = 1000
LONGEST_OUTSIDE = 100_000
# Even a small file takes a whole block of the disk.
BLOCK = 4096
# What symlink(7) and the kernel allow.
LONGEST_LINK = 4096
MOST_LINKS_FOLLOWED = 40
MOST_LINKS = 10_000
LONGEST_COMMIT = 1_000_000
# Control characters, and those that change the direction of writing (Unicode TR 9): names with them
# do not look like what they are.
MISLEADING = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# Parts of a path that cannot be file names, and `.venv`, which is ours in a release.
NO_NAME = re.compile(r"(^|/)\.{0,2}(/|$)|^\.venv(/|$)")
# Characters that some file systems ignore, so that a name may mean .git there (git-fsck(1)).
IGNORED = re.compile(r"[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]|[. ]+$|:.*")
REPOSITORY = frozenset({".git", "git~1"})


class Entry(NamedTuple):
    """One entry of a tree; `size` is zero for anything but a file."""

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
        """Their paths, those in `asked` first."""
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

    `asked` are paths; `present` in the findings lists those that the commit has.
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
    outside, more = within_limits(leaving(targets))
    compared = bool(deployed) and complete and has(repository, deployed)
    for status in changes(repository, deployed, commit) if compared else ():
        added += status == "A"
        deleted += status == "D"
        modified += status in "MT"
    return Findings(
        committed_at, survey.files, survey.bytes,
        survey.largest, survey.largest_path[:LONGEST_NAMED],
        survey.files - added + deleted if compared else 0, deleted, modified,
        named(survey.misleading), tuple(outside), named(survey.submodules),
        tuple(sorted(survey.present)), complete, more,
    )  # fmt: skip


def is_misleading(path: str) -> bool:
    """Return whether a path has a name that looks like another one, or that is git's or ours."""
    if MISLEADING.search(path) or NO_NAME.search(path):
        return True
    # The cheap test first: most names cannot mean .git.
    suspicious = not path.isascii() or "git" in path.lower()
    return suspicious and any(
        IGNORED.sub("", part).casefold() in REPOSITORY for part in path.split("/")
    )


def named(paths: list[str]) -> tuple[str, ...]:
    """Return the first paths of a list, each cut to LONGEST_NAMED characters."""
    return tuple(path[:LONGEST_NAMED] for path in paths[:MOST_NAMED])


def within_limits(paths: list[str]) -> tuple[list[str], bool]:
    """Return as many whole paths as one answer can have, and whether there are more."""
    kept: list[str] = []
    length = 0
    for path in paths:
        length += len(path)
        if len(kept) == MOST_OUTSIDE or length > LONGEST_OUTSIDE:
            return kept, True
        kept.append(path)
    return kept, False


def with_parents(path: str) -> Iterator[str]:
    """Yield a path and every directory above it."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def leaving(links: Mapping[str, str]) -> list[str]:
    """Return the paths of the links that lead out of the tree or in a circle; `links`: targets."""
    return sorted(path for path in links if not stays(path, links))


def stays(path: str, links: Mapping[str, str]) -> bool:
    """Return whether a link leads to a path inside the tree, resolved as in path_resolution(7)."""
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
            # git lists objects that it cannot read, and exits with 0.
            raise UpdateFailedError(f"git cannot read object {name.decode()}")
        yield Entry(int(mode, 8), name.decode(), int(size) if size != b"-" else 0,
                    os.fsdecode(path))  # fmt: skip


def has_an_end(repository: str, commit: str) -> bool:
    """Return whether a tree is small enough for git to compare: git loads all of it first."""
    names = answers(repository, ["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit])
    return sum(1 for _ in islice(names, MOST_FILES + 1)) <= MOST_FILES


def changes(repository: str, old: str, new: str) -> Iterator[str]:
    """Yield the status letter of each file that differs between two commits (git-diff-tree(1))."""
    words = ["diff-tree", "-r", "-z", "--no-renames", "--name-status", old, new, "--"]
    letters = answers(repository, words)
    for status in letters:
        next(letters)
        yield status.decode()


def has(repository: str, commit: str) -> bool:
    """Return whether a repository has a commit and its tree."""
    answer = ask(repository, ["cat-file", "--batch-check"], [f"{commit}^{{tree}}"])
    return not answer.endswith(b" missing\n")


def has_objects(repository: str, names: list[str]) -> set[str]:
    """Return those of some objects that a repository has."""
    answer = ask(repository, ["cat-file", "--batch-check=%(objectname)"], names)
    return set(answer.decode(errors="replace").splitlines()) & set(names)


def full_name(repository: str, name: str) -> str:
    """Return the full hash of the only commit that begins with these digits; empty for none.

    Raises UpdateFailedError when git fails.
    """
    # Not as a revision: upstream may have a tag of that name.
    found = ask(repository, ["rev-parse", f"--disambiguate={name}"], []).decode().split()
    kinds = ask(repository, ["cat-file", "--batch-check=%(objecttype)"], found).decode().split()
    commits = [full for full, kind in zip(found, kinds, strict=False) if kind == "commit"]
    return commits[0] if len(commits) == 1 else ""


def objects(repository: str, names: list[str]) -> dict[str, bytes]:
    """Return the contents of a commit and of symbolic links; not of those that are too long."""
    asked = list(dict.fromkeys(names))
    return contents(repository, asked, [LONGEST_COMMIT, *[LONGEST_LINK] * (len(asked) - 1)])


def contents(
    repository: str, names: list[str], limits: list[int] | None = None
) -> dict[str, bytes]:
    """Return the contents of objects; not of those that are longer than their limits."""
    asked = list(dict.fromkeys(names)) if limits is None else names
    limits = limits or [LONGEST_COMMIT] * len(asked)
    sizes = ask(repository, ["cat-file", "--batch-check=%(objectsize)"], asked)
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
    """Return the committer date of a commit, in seconds since 1970; zero if it has none."""
    head = content.partition(b"\n\n")[0]
    match = re.search(rb"^committer .*> ([0-9]{1,12}) ", head, re.MULTILINE)
    return int(match[1]) if match else 0


def answers(repository: str, words: list[str]) -> Iterator[bytes]:
    """Yield what git prints, up to each NUL, as it arrives. Raises UpdateFailedError."""
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
        # The caller stopped early; do not wait for the rest.
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
    """Return the error for a git process that failed."""
    if status < 0:
        return HostFaultError(f"git {verb} was killed by signal {-status}")
    return UpdateFailedError(f"git {verb} failed with status {status}")


def environment(repository: str) -> dict[str, str]:
    """Return the environment of git in a repository whose work tree is not used."""
    return {**os.environ, "GIT_DIR": repository, "GIT_WORK_TREE": repository}
