"""build: copies of environments by hard links, such as the `.venv` of a release.

Such copies share their files. The files become root's, so that no build can change those of another
release. The directories of a copy belong to the builds' user, who can replace files there. The run
itself does this, while no process of a build is running.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from autoupdate.host.links import DIRECTORY, READ
from autoupdate.host.process import Identity
from autoupdate.model.errors import HostFaultError

# Made when all dependencies are installed; the last file to become root's.
COMPLETE = "complete"
# Not copied: what builds the repository's own packages, how these were installed, for what the
# environment was made, and its list of packages.
BUILD_TOOLS, INSTALLS, RESOLVED = "build-tools", "installs", "resolved.json"
VERSIONS = "installed-versions.txt"
NOT_COPIED = (COMPLETE, BUILD_TOOLS, INSTALLS, RESOLVED, VERSIONS)


def provide(environment: str, scratch: str, target: str, owner: Identity | None) -> None:
    """Copy a complete environment to `target`: a release's `.venv`, or a new environment.

    The copy is made at `scratch`, where only this process's user can write. Its directories are
    given to `owner`. Raises HostFaultError.
    """
    try:
        if not is_sealed(environment):
            seal(environment)
        link(environment, scratch, owner)
        with opened(os.path.dirname(target)) as place:
            os.rename(scratch, os.path.basename(target), dst_dir_fd=place)
    except OSError as error:
        message = f"{environment} cannot be copied to {target}: {error.strerror}"
        raise HostFaultError(message) from None


def is_sealed(environment: str) -> bool:
    """Return whether all files of an environment belong to this process's user. Raises OSError."""
    return os.lstat(f"{environment}/{COMPLETE}").st_uid == os.geteuid()


def seal(environment: str) -> None:
    """Change the owner of an environment's files to this process's user. Raises OSError.

    Links are not followed; anything but a regular file is left unchanged.
    """
    for place, _, files, directory in os.fwalk(environment):
        if place == f"{environment}/{INSTALLS}":
            continue
        kept = (COMPLETE, RESOLVED) if place == environment else ()
        for name in files:
            if name not in kept:
                take(name, directory)
    with opened(environment) as directory:
        take(COMPLETE, directory)


def take(name: str, directory: int) -> None:
    """Give a regular file to this process's user; others can read it, but not write to it."""
    if not stat.S_ISREG(os.lstat(name, dir_fd=directory).st_mode):
        return
    file = os.open(name, READ, dir_fd=directory)
    try:
        facts = os.fstat(file)
        if stat.S_ISREG(facts.st_mode):
            os.fchown(file, os.geteuid(), os.getegid())
            os.fchmod(file, 0o755 if facts.st_mode & stat.S_IXUSR else 0o644)
    finally:
        os.close(file)


def link(environment: str, scratch: str, owner: Identity | None) -> None:
    """Copy an environment to a new directory, with hard links to its files.

    Other users cannot open the copy until it is finished (environment.py), as installers lock a
    file in it. Raises OSError.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    os.mkdir(scratch, 0o700)
    with opened(environment) as source, opened(scratch) as target:
        copy_entries(
            source, target, owner, 0o700, (COMPLETE, BUILD_TOOLS, INSTALLS, RESOLVED, VERSIONS)
        )


def copy_entries(
    source: int,
    target: int,
    owner: Identity | None,
    mode: int = 0o755,
    left_out: tuple[str, ...] = (),
) -> None:
    """Copy the contents of a directory; regular files become hard links."""
    with os.scandir(source) as entries:
        for entry in entries:
            name = entry.name
            if name in left_out:
                continue
            if entry.is_symlink():
                os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            elif entry.is_dir(follow_symlinks=False):
                os.mkdir(name, 0o700, dir_fd=target)
                with opened(name, source) as inner, opened(name, target) as copy:
                    copy_entries(inner, copy, owner)
            elif entry.is_file(follow_symlinks=False):
                os.link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    # Last: then this process does not write to the directory any more.
    os.fchmod(target, mode)
    if owner:
        os.fchown(target, owner.uid, owner.gid)


@contextmanager
def opened(directory: str, parent: int | None = None) -> Iterator[int]:
    """Yield the descriptor of a directory. Raises OSError, also for a symbolic link."""
    descriptor = os.open(directory, DIRECTORY, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
