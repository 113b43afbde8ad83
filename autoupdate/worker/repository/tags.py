"""Upstream's tags in the releases' view of Git, for versions that come from `git describe`.

Runs in the worker, as the builds' user. `refs/tags/` of the mirror has those tags of upstream that
the deployed commits, and the one that was just fetched, have in their history. It is kept equal to
upstream's: a tag that was moved or deleted there is so here. Upstream chooses the names. Those that
cannot be a file, that git refuses, or that hide our own refs are left out; they stop no update.
"""

import glob
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from git.cmd import Git
from git.exc import GitCommandError

from autoupdate.model.errors import UnreachableError
from autoupdate.model.track import COMMIT, PEELED, TAGS
from autoupdate.worker.repository.inspection import has_objects

# Limit for the list of upstream's tags, in bytes.
LONGEST_LIST = 32 << 20
# As a file name, with .lock at its end (filename limits of Linux file systems).
LONGEST_PART, LONGEST_NAME = 240, 1000
# git-check-ref-format(1)
NO_REF = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/$|\.$|^/|(^|/)\.|\.lock(/|$)|^@$"
)  # fmt: skip

# Short for one of our own refs, or a commit: what a person types would be ambiguous.
RESERVED = re.compile(
    r"(refs|heads|tags|remotes|worktree|bisect|rewritten|autoupdate|stash)(/.*)?|[A-Z_]*HEAD"
    r"|[0-9a-f]{40}([0-9a-f]{24})?"
)  # fmt: skip


def follow(
    git: Git, mirror: str, url: str, commit: str, fetch: Callable[[list[str]], None]
) -> None:
    """Make the mirror's tags those of upstream that lead to a commit's history.

    `fetch` gets refs of upstream, and fetches their objects.
    Raises GitCommandError, UnreachableError.
    """
    offered, ends = listed(git, url)
    mine = present(git)
    if offered == mine:
        return
    new = {name for name, found in offered.items() if mine.get(name) != found}
    known = has_objects(mirror, [ends[name] for name in new])
    if known:
        known &= history(git, [commit, *deployed(mirror)])
    wanted = {
        name: found for name, found in offered.items() if name not in new or ends[name] in known
    }
    # The tag objects of signed and annotated tags.
    named = [name for name in wanted if name in new and wanted[name] != ends[name]]
    here = has_objects(mirror, [wanted[name] for name in named])
    if missing := [f"{TAGS}{name}" for name in named if wanted[name] not in here]:
        fetch(missing)
    write(git, mirror, mine, wanted)


def listed(git: Git, url: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the tags that upstream has, and what each of them leads to in the end."""
    objects: dict[str, str] = {}
    ends: dict[str, str] = {}
    for line in answers(git, "ls-remote", "--quiet", "--tags", "--", url):
        found, _, ref = line.partition("\t")
        name = ref.removeprefix(TAGS)
        if not COMMIT.fullmatch(found):
            continue
        if name.endswith(PEELED):
            ends[name.removesuffix(PEELED)] = found
        elif is_possible(name):
            objects[name] = found
    kept = {name: found for name, found in objects.items() if not is_below(name, objects)}
    return kept, {name: ends.get(name, found) for name, found in kept.items()}


def is_possible(name: str) -> bool:
    """Return whether a tag's name can be that of a file, is accepted by git, and hides nothing."""
    if not name or NO_REF.search(name) or RESERVED.fullmatch(name):
        return False
    coded = os.fsencode(name)
    return len(coded) <= LONGEST_NAME and max(map(len, coded.split(b"/"))) <= LONGEST_PART


def is_below(name: str, names: Iterable[str]) -> bool:
    """Return whether a part of a name is a name, too: a file cannot be a directory."""
    while name := name.rpartition("/")[0]:
        if name in names:
            return True
    return False


def present(git: Git) -> dict[str, str]:
    """Return the tags of the mirror."""
    lines = answers(git, "for-each-ref", "--format=%(objectname)%09%(refname)", "--", TAGS)
    split = (line.split("\t") for line in lines)
    return {ref.removeprefix(TAGS): found for found, ref in split}


def deployed(mirror: str) -> list[str]:
    """Return the commits of the releases (gitrepository-layout(5), worktrees)."""
    found = []
    for file in glob.glob(f"{glob.escape(mirror)}/worktrees/*/HEAD"):
        with suppress(OSError), open(file, encoding="ascii", errors="replace") as stream:
            found.append(stream.read().strip())
    return list(filter(COMMIT.fullmatch, found))


def history(git: Git, commits: list[str]) -> set[str]:
    """Return some commits and all that they descend from."""
    return set(answers(git, "rev-list", "--ignore-missing", *commits, "--"))


def write(git: Git, mirror: str, mine: dict[str, str], wanted: dict[str, str]) -> None:
    """Write the tags that differ, and delete those that are not wanted."""
    # Deleted first: a new name may be below one that goes.
    deletions = [f"delete {TAGS}{name}\0\0" for name in mine if name not in wanted]
    updates = [
        f"update {TAGS}{name}\0{found}\0\0"
        for name, found in wanted.items()
        if mine.get(name) != found
    ]
    for commands in filter(None, (deletions, updates)):
        try:
            update(git, commands)
        except GitCommandError:
            # A power cut may have left broken ones, which git does not replace.
            shutil.rmtree(f"{mirror}/{TAGS}", ignore_errors=True)
            update(git, commands)
    git.pack_refs("--prune")


def update(git: Git, commands: list[str]) -> None:
    """Change refs (git-update-ref(1), --stdin)."""
    with tempfile.TemporaryFile() as given:
        given.write(os.fsencode("".join(commands)))
        given.seek(0)
        # pack-refs then writes one file, which is synchronised, instead of thousands.
        git(c="core.fsync=none").update_ref("-z", "--stdin", istream=given)


def answers(git: Git, *words: str) -> Iterator[str]:
    """Yield the lines that git prints, as they arrive. Raises GitCommandError."""
    process = git.execute(["git", *words], as_process=True)
    length = 0
    for line in process.stdout:
        length += len(line)
        if words[0] == "ls-remote" and length > LONGEST_LIST:
            process.kill()
            raise UnreachableError("upstream sends a list of tags without an end")
        yield os.fsdecode(line.rstrip(b"\n"))
    process.wait()
