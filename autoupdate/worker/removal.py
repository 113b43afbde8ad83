"""Removes a directory with all that is in it, whoever owns what, and nothing outside of it.

Others may own the directories and exchange them meanwhile. So each one is opened by its name in the
one above, without following a link, and names are removed from open directories only. However deep
a tree is, one directory is open at a time: the way up is "..", which must be where we came from.
"""

import errno
import os
import shlex
import stat
import time
from contextlib import suppress
from typing import NamedTuple

from autoupdate.host.links import DIRECTORY
from autoupdate.host.mounts import mount_of
from autoupdate.model.errors import describe

# In seconds. Another process could make files as fast as they are removed.
PATIENCE = 600.0
# How many things that cannot be removed are listed.
MOST_LISTED = 20


class Remaining(NamedTuple):
    """What could not be removed: its path, why, and a command that helps, if there is one."""

    path: str
    why: str
    advice: str


class System:
    """The system calls; tests replace them."""

    def open(self, name: str, directory: int) -> int:
        """Open a directory; OSError for a link. `..` is the directory above."""
        return os.open(name, DIRECTORY, dir_fd=directory)

    def unlink(self, name: str, directory: int) -> None:
        """Remove anything but a directory."""
        os.unlink(name, dir_fd=directory)

    def rmdir(self, name: str, directory: int) -> None:
        """Remove an empty directory."""
        os.rmdir(name, dir_fd=directory)

    def mount(self, descriptor: int) -> str:
        """Return the mount of an open directory."""
        return mount_of(descriptor)

    def clock(self) -> float:
        """Return the seconds since some moment."""
        return time.monotonic()


class Level(NamedTuple):
    """A directory on the way down: its name, device and inode, and directories yet to remove."""

    name: str
    identity: tuple[int, int]
    pending: list[str]


HOST = System()


def remove_tree(path: str, system: System = HOST) -> tuple[Remaining, ...]:
    """Remove a directory, or anything else, with all that is in it; return what could not be.

    The directory above `path` must belong to somebody who may remove it, or be a link of root's.
    """
    parent, name = os.path.split(path)
    try:
        top = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ()
    except OSError as error:
        return (Remaining(path, describe(error), ""),)
    removal = Removal(path, system)
    removal.remove(name, top)
    return tuple(removal.left)


class Removal:
    """One removal, and what it could not remove."""

    def __init__(self, path: str, system: System) -> None:
        self.path = path
        self.system = system
        self.deadline = system.clock() + PATIENCE
        self.left: list[Remaining] = []
        self.mount = ""
        self.levels: list[Level] = []

    def remove(self, name: str, here: int) -> None:
        """Remove one name from an open directory, which is closed."""
        self.mount = self.system.mount(here)
        self.levels = [Level(os.path.dirname(self.path), identity(here), [name])]
        try:
            while self.system.clock() <= self.deadline:
                level = self.levels[-1]
                if level.pending:
                    here = self._down(level.pending.pop(), here)
                elif len(self.levels) == 1:
                    return
                else:
                    here = self._up(here)
            self.left.append(Remaining(self.path, f"this took longer than {PATIENCE:g} s", ""))
        except OSError as error:
            # There is no way up, or the directory cannot be read.
            self._note("", error)
        finally:
            os.close(here)

    def _down(self, name: str, here: int) -> int:
        """Open a directory and remove the files in it; return the directory to go on with."""
        try:
            inner = self.system.open(name, here)
        except FileNotFoundError:
            return here
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                self._unlink(name, here)
            else:
                self._note(name, error)
            return here
        if self.system.mount(inner) != self.mount:
            os.close(inner)
            self._note(name, OSError(errno.EBUSY, os.strerror(errno.EBUSY)))
            return here
        self.levels.append(Level(name, identity(inner), []))
        os.close(here)
        try:
            self.levels[-1].pending.extend(self._clear(inner))
        except OSError as error:
            self._note("", error)
        return inner

    def _up(self, here: int) -> int:
        """Return to the directory above, and remove the one that is empty now."""
        level = self.levels.pop()
        above = self.system.open("..", here)
        os.close(here)
        if identity(above) != self.levels[-1].identity:
            # Somebody has moved it. What is above now is none of ours.
            self.levels = self.levels[:1]
            self.left.append(Remaining(self.path, "it was moved while it was removed", ""))
            return above
        try:
            self.system.rmdir(level.name, above)
        except FileNotFoundError:
            pass
        except OSError as error:
            # If something in it is left, that is on the list already.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not self.left:
                self._note(level.name, error)
        return above

    def _clear(self, here: int) -> list[str]:
        """Remove everything but directories; return these."""
        facts = os.fstat(here)
        if facts.st_uid == os.geteuid() and facts.st_mode & 0o300 != 0o300:
            with suppress(OSError):
                os.fchmod(here, stat.S_IMODE(facts.st_mode) | 0o300)
        directories: list[str] = []
        others: list[str] = []
        with os.scandir(here) as entries:
            for entry in entries:
                kind = directories if entry.is_dir(follow_symlinks=False) else others
                kind.append(entry.name)
        for name in others:
            self._unlink(name, here)
        return directories

    def _unlink(self, name: str, here: int) -> None:
        try:
            self.system.unlink(name, here)
        except FileNotFoundError:
            pass
        except OSError as error:
            self._note(name, error)

    def _note(self, name: str, error: OSError) -> None:
        """List something that is left."""
        if len(self.left) < MOST_LISTED:
            parts = [*(level.name for level in self.levels), name]
            self.left.append(explained("/".join(filter(None, parts)), self.path, error))


def identity(descriptor: int) -> tuple[int, int]:
    """Return what distinguishes an open directory from all others."""
    facts = os.fstat(descriptor)
    return facts.st_dev, facts.st_ino


def explained(path: str, tree: str, error: OSError) -> Remaining:
    """Say why something cannot be removed, and what helps."""
    if error.errno == errno.EBUSY:
        return Remaining(path, "something is mounted there", f"umount -R {shlex.quote(path)}")
    if error.errno == errno.EPERM and os.geteuid() == 0:
        # Nothing else keeps root from removing a name.
        why = "it, or the directory that it is in, has the attribute immutable or append-only"
        return Remaining(path, f"{why} (lsattr(1))", f"chattr -R -i -a {shlex.quote(tree)}")
    return Remaining(path, error.strerror or str(error), "")
