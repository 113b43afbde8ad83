"""Moves of whole directories, each in one step; a journal lists them before the first is made.

If a run dies, names and inode numbers show how far it got. No symbolic link is followed in any part
of a path, as other users can write to some of the directories.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from autoupdate.adoption.renameat2 import UNSUPPORTED, exchange
from autoupdate.host.links import sync_directory
from autoupdate.model.errors import BrokenError
from autoupdate.model.paths import AppPaths

ADOPT, RELEASE_PATH = "adopt", "release-path"
RENAME, EXCHANGE, COPY = "rename", "exchange", "copy"
DIRECTORY, LINK, UNLINK = "directory", "link", "unlink"
# Copies a file or directory with its metadata; the target does not exist yet.
Copy = Callable[[str, str], None]


class Move(NamedTuple):
    """One change of the file system.

    `inode` identifies what a RENAME or EXCHANGE moves; for a COPY, what exists at the target
    before, if anything. The target of LINK and UNLINK is what the link points to. EXCHANGE makes a
    directory at the source and a link to `link` at the target change places, so that the services'
    path always exists.
    """

    do: str
    source: str
    target: str
    inode: int = 0
    link: str = ""


class Journal(NamedTuple):
    """The changes that are to be undone, unless they are `confirmed`.

    `kept` is where the old directory goes, or where the plain checkout comes from; `links`: the
    releases that `current` and `previous` pointed to; `services`: those that ran; `legacy`: the old
    updaters.
    """

    verb: str
    path: str
    kept: str
    stamp: str
    commit: str
    release: str
    services: tuple[str, ...]
    links: tuple[str, str]
    moves: tuple[Move, ...]
    legacy: tuple[tuple[Any, ...], ...] = ()
    confirmed: bool = False


def write(paths: AppPaths, journal: Journal) -> None:
    """Write the journal; atomic and durable."""
    write_json(paths.relocation, journal._asdict())


def read(paths: AppPaths) -> Journal | None:
    """Return the journal of a relocation that has not ended; None when there is none.

    Raises BrokenError for one that cannot be read.
    """
    try:
        with open(paths.relocation, encoding="utf-8") as stream:
            facts = json.load(stream)
        moves = tuple(Move(*move) for move in facts["moves"])
        legacy = tuple(tuple(item) for item in facts["legacy"])
        lists = {key: tuple(facts[key]) for key in ("services", "links")}
        return Journal(**{**facts, **lists, "moves": moves, "legacy": legacy})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenError(
            f"{paths.relocation} cannot be read, so nothing was undone: {error!r}",
            "to see what was being done: journalctl -t autoupdate",
        ) from None


def kept_directory(paths: AppPaths) -> str:
    """Return the old directory that the last adoption kept; empty if none is recorded."""
    return str(adoption(paths).get("kept", ""))


def adoption(paths: AppPaths) -> dict[str, Any]:
    """Return the record of the last adoption; empty if there is none, or none that can be read."""
    try:
        with open(paths.adopted, encoding="utf-8") as stream:
            facts = json.load(stream)
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def clear(paths: AppPaths) -> None:
    """Remove the journal: nothing is left to undo."""
    with suppress(FileNotFoundError):
        os.unlink(paths.relocation)
        sync_directory(paths.home)


def write_json(file: str, facts: dict[str, Any]) -> None:
    """Write facts to a file that any user may read; atomic and durable."""
    temporary = f"{file}.new"
    with open(temporary, "w", encoding="utf-8") as stream:
        json.dump(facts, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(temporary, file)
    sync_directory(os.path.dirname(file))


def make(move: Move, copy: Copy) -> None:
    """Make one move. Raises OSError, and BrokenError when the target already exists."""
    if move.do == LINK:
        with parent(move.source) as (directory, name):
            os.symlink(move.target, name, dir_fd=directory)
            os.fsync(directory)
    elif move.do == UNLINK:
        _unlink(move.source, move.target)
    elif move.do == DIRECTORY:
        _make_directory(move.source, move.target)
    elif move.do == EXCHANGE:
        _exchange(move.source, move.target, move.link)
    elif move.do == COPY:
        unfinished = f"{move.target}.new"
        copy(move.source, unfinished)
        rename(unfinished, move.target)
    else:
        rename(move.source, move.target)


def undo(move: Move, stamp: str) -> None:
    """Undo one move, if it was made. Raises OSError, and BrokenError as `make` does."""
    if move.do == LINK:
        _unlink(move.source, move.target)
    elif move.do == UNLINK:
        # Undoing the EXCHANGE makes the link again.
        return
    elif move.do == DIRECTORY:
        # Only if it is still empty.
        with suppress(OSError), parent(move.target) as (directory, name):
            os.rmdir(name, dir_fd=directory)
    elif move.do == COPY:
        # The original is in its place. The copy is kept, too, with what was written to it since.
        if exists(move.target) and inode(move.target) != move.inode:
            rename(move.target, f"{move.target}.undone-{stamp}")
    elif inode(move.target) == move.inode:
        if move.do == EXCHANGE:
            _exchange(move.target, move.source, move.link)
        else:
            rename(move.target, move.source)
    elif move.do == EXCHANGE and not exists(move.target):
        make(Move(LINK, move.target, move.link), _no_copy)


def exists(path: str) -> bool:
    """Return whether something exists at a path; a dangling link counts."""
    return inode(path) != 0


def inode(path: str) -> int:
    """Return the inode number of what is at a path, 0 if there is nothing."""
    try:
        with parent(path) as (directory, name):
            return os.stat(name, dir_fd=directory, follow_symlinks=False).st_ino
    except FileNotFoundError:
        return 0


def rename(source: str, target: str) -> None:
    """Rename durably; never overwrites. Raises OSError, BrokenError."""
    if exists(target):
        raise BrokenError(
            f"{target} already exists, so {source} was not moved",
            f"look at both, and move one of them away: ls -la {source} {target}",
        )
    with parent(source) as (left, old), parent(target) as (entered, new):
        os.rename(old, new, src_dir_fd=left, dst_dir_fd=entered)
        os.fsync(entered)
        os.fsync(left)


@contextmanager
def parent(path: str) -> Iterator[tuple[int, str]]:
    """Open the parent directory of a path without following links; yield it and the last name.

    Raises OSError: ENOTDIR for a link on the way.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    *parts, name = path.strip("/").split("/")
    descriptor = os.open("/", flags)
    try:
        for part in parts:
            inner = os.open(part, flags, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor, name
    finally:
        os.close(descriptor)


def _exchange(directory: str, link: str, target: str) -> None:
    """Make a directory and a link to `target` change places; a missing link is made first.

    Raises OSError, and BrokenError if something else is in the place of the link.
    """
    if not exists(link):
        make(Move(LINK, link, target), _no_copy)
    with parent(directory) as (left, old), parent(link) as (right, new):
        if _target(new, right) != target:
            raise BrokenError(
                f"{link} is not a link to {target} any more, so {directory} was not moved",
                f"look at both, and move one of them away: ls -la {link} {directory}",
            )
        try:
            exchange(old, new, left_directory=left, right_directory=right)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            os.unlink(new, dir_fd=right)
            os.rename(old, new, src_dir_fd=left, dst_dir_fd=right)
            os.symlink(target, old, dir_fd=left)
        os.fsync(right)
        os.fsync(left)


def _unlink(link: str, target: str) -> None:
    with suppress(FileNotFoundError), parent(link) as (directory, name):
        # Anything else there was not made by us.
        if _target(name, directory) == target:
            os.unlink(name, dir_fd=directory)
            os.fsync(directory)


def _target(name: str, directory: int) -> str:
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError:
        return ""


def _make_directory(like: str, path: str) -> None:
    if exists(path):
        return
    with parent(like) as (directory, name):
        facts = os.stat(name, dir_fd=directory, follow_symlinks=False)
    with parent(path) as (directory, name):
        os.mkdir(name, facts.st_mode & 0o777, dir_fd=directory)
        os.chown(name, facts.st_uid, facts.st_gid, dir_fd=directory, follow_symlinks=False)
        os.fsync(directory)


def _no_copy(source: str, target: str) -> None:
    raise AssertionError(f"{source} is not copied to {target}")
