"""Copies an old checkout for the builds' user, byte by byte, without running git on it.

Of its Git directory only data is copied: what could make git execute something (configuration,
hooks) is left out, or copied to where git does not look.
"""

import os
import shutil
import stat
from typing import NamedTuple

from autoupdate.host.links import DIRECTORY, READ
from autoupdate.host.process import Identity

GIT_DATA = ("HEAD", "index", "packed-refs", "shallow", "objects", "refs", "logs", "info")
# Byte code, which Python makes again, and the .git of other repositories.
NEVER = frozenset({".git", "__pycache__"})
ENVIRONMENT = ".venv"


class Duplicate(NamedTuple):
    """The copied bytes, and the paths that are not a file, a directory or a link."""

    bytes: int
    odd: tuple[str, ...]


class Copier:
    """Copies files of other users into a directory that only root can reach meanwhile.

    The copies belong to `owner`; with `open_to_all`, others may read them.
    """

    def __init__(self, owner: Identity | None, *, open_to_all: bool = False) -> None:
        self.owner = owner
        self.modes = (0o755, 0o644) if open_to_all else (0o700, 0o600)
        self.bytes = 0
        self.odd: list[str] = []

    def tree(self, source: str, target: str, skip: frozenset[str], never: frozenset[str]) -> None:
        """Copy a directory without the relative paths in `skip` and the names in `never`."""
        descriptor = os.open(source, DIRECTORY)
        try:
            self._directory(descriptor, target, "", skip, never)
        finally:
            os.close(descriptor)

    def _directory(
        self, source: int, target: str, inner: str, skip: frozenset[str], never: frozenset[str]
    ) -> None:
        os.mkdir(target, 0o700)
        for name in sorted(os.listdir(source)):
            path = f"{inner}{name}"
            if path in skip or name in never:
                continue
            facts = look(name, source)
            if facts is None:
                continue
            if stat.S_ISDIR(facts.st_mode):
                descriptor = os.open(name, DIRECTORY, dir_fd=source)
                try:
                    self._directory(descriptor, f"{target}/{name}", f"{path}/", skip, never)
                finally:
                    os.close(descriptor)
            elif stat.S_ISLNK(facts.st_mode):
                os.symlink(os.readlink(name, dir_fd=source), f"{target}/{name}")
                self._give(f"{target}/{name}")
            elif stat.S_ISREG(facts.st_mode):
                self.file(name, f"{target}/{name}", source)
            else:
                self.odd.append(path)
        self._give(target)
        os.chmod(target, self.modes[0])

    def file(self, source: str, target: str, directory: int | None = None) -> None:
        """Copy one regular file, with its time and whether it can be executed."""
        descriptor = os.open(source, READ, dir_fd=directory)
        with open(descriptor, "rb") as old, open(target, "xb") as new:
            facts = os.fstat(descriptor)
            shutil.copyfileobj(old, new, 1 << 20)
            os.fchmod(new.fileno(), self.modes[0 if facts.st_mode & 0o100 else 1])
        os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        self._give(target)
        self.bytes += facts.st_size

    def _give(self, target: str) -> None:
        if self.owner:
            os.chown(target, self.owner.uid, self.owner.gid, follow_symlinks=False)


def duplicate(
    checkout: str, target: str, shared: tuple[str, ...], owner: Identity | None
) -> Duplicate:
    """Copy a checkout into `tree`, its Git data into `git`, its configuration to `config`.

    Its environment and the shared paths are left out. Raises OSError.
    """
    shutil.rmtree(target, ignore_errors=True)
    os.mkdir(target, 0o700)
    copier = Copier(owner)
    copier.tree(checkout, f"{target}/tree", frozenset({ENVIRONMENT, *shared}), NEVER)
    git = f"{checkout}/.git"
    others = frozenset(os.listdir(git)) - set(GIT_DATA)
    copier.tree(git, f"{target}/git", others | {"info/attributes", "info/grafts"}, frozenset())
    copier.file(f"{git}/config", f"{target}/config")
    if owner:
        os.chown(target, owner.uid, owner.gid)
    return Duplicate(copier.bytes, tuple(copier.odd))


def needed(checkout: str, shared: tuple[str, ...]) -> int:
    """Return the bytes that a copy of a checkout takes. Raises OSError."""
    total = 0
    left_out = {f"{checkout}/{path}" for path in (ENVIRONMENT, *shared)}
    for inner, directories, files, descriptor in os.fwalk(checkout):
        directories[:] = [name for name in directories if f"{inner}/{name}" not in left_out]
        seen = [look(name, descriptor) for name in files if f"{inner}/{name}" not in left_out]
        total += sum(facts.st_size for facts in seen if facts)
    return total


def look(name: str, directory: int) -> os.stat_result | None:
    """Return the status of a name in a directory that is in use; None if it is gone."""
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
