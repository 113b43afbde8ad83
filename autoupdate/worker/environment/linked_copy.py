"""build: the `.venv` of a release, a copy of its environment by hard links.

Such copies share their files. So that no build can change those of another release in place, the
files become root's; the directories of a copy are the builds' user's, who may put files of its own
in the places of these. Done by the run itself, while nothing of upstream's is running.
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
# What an environment holds for its own use: the app's build tools, and how the app was installed.
BUILD_TOOLS, INSTALL = "build-tools", "install.json"


def provide(environment: str, scratch: str, release: str, owner: Identity | None) -> None:
    """Give a release its `.venv`, a copy of a complete environment. Raises HostFaultError.

    It is made at `scratch`, where only this process's user can write; `owner` gets its directories.
    """
    try:
        if not is_sealed(environment):
            seal(environment)
        link(environment, scratch, owner)
        with opened(release) as place:
            os.rename(scratch, ".venv", dst_dir_fd=place)
    except OSError as error:
        message = f"{environment} cannot be copied to {release}/.venv: {error.strerror}"
        raise HostFaultError(message) from None


def is_sealed(environment: str) -> bool:
    """Tell whether all files of an environment belong to this process's user. Raises OSError."""
    return os.lstat(f"{environment}/{COMPLETE}").st_uid == os.geteuid()


def seal(environment: str) -> None:
    """Take the files of an environment from the builds' user. Raises OSError.

    No link is followed, and what is no plain file stays as it is.
    """
    for place, _, files, directory in os.fwalk(environment):
        kept = (COMPLETE, INSTALL) if place == environment else ()
        for name in files:
            if name not in kept:
                take(name, directory)
    with opened(environment) as directory:
        take(COMPLETE, directory)


def take(name: str, directory: int) -> None:
    """Make a plain file this process's user's, for all to read and for no other to write."""
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
    """Copy an environment to a new directory: links to its files, its symbolic links as they are.

    What is for its own use is left out. The copy is closed to other users, as installers lock a
    file in there, until it is finished (environment.py). Raises OSError.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    os.mkdir(scratch, 0o700)
    with opened(environment) as source, opened(scratch) as target:
        copy_entries(source, target, owner, 0o700, (COMPLETE, BUILD_TOOLS, INSTALL))


def copy_entries(
    source: int,
    target: int,
    owner: Identity | None,
    mode: int = 0o755,
    left_out: tuple[str, ...] = (),
) -> None:
    """Copy what is in a directory: links, directories, and of plain files another name."""
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
    # Given away when nothing is written to it any more.
    os.fchmod(target, mode)
    if owner:
        os.fchown(target, owner.uid, owner.gid)


@contextmanager
def opened(directory: str, parent: int | None = None) -> Iterator[int]:
    """Yield the descriptor of a directory that is no symbolic link. Raises OSError."""
    descriptor = os.open(directory, DIRECTORY, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
