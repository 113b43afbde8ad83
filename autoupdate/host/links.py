"""activate: the links `current` and `previous`, switched by one atomic rename each."""

import os
from contextlib import suppress

from autoupdate.host.process import NotStartedError, TimedOutError, base_environment, run
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.paths import AppPaths

# Flags of open(2) for files of other users: do not follow links, do not wait for a FIFO.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def linked_release(link: str) -> str:
    """Return the release that `current` or `previous` leads to; empty if there is none."""
    try:
        target = os.readlink(link)
    except OSError:
        return ""
    return os.path.basename(target) if target.startswith("releases/") else ""


def switch(paths: AppPaths, release: str, previous: str) -> None:
    """Make a release the current one, and another, if any, the previous one; durable."""
    if previous:
        replace_link(f"releases/{previous}", paths.previous)
    else:
        remove_link(paths.previous)
    replace_link(f"releases/{release}", paths.current)


def replace_link(target: str, link: str) -> None:
    """Make a symbolic link point to another target; it is never missing meanwhile."""
    # A fixed name: the next run overwrites what a killed run left.
    temporary = f"{link}.new"
    remove_link(temporary)
    os.symlink(target, temporary)
    os.rename(temporary, link)
    sync_directory(os.path.dirname(link))


def remove_link(link: str) -> None:
    """Remove a symbolic link if it exists."""
    with suppress(FileNotFoundError):
        os.unlink(link)


def sync_directory(directory: str) -> None:
    """Make the renames in a directory durable (fsync(2))."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def let_others_in(directory: str) -> None:
    """Let all users into a directory that an earlier version closed, in a shell with umask 077."""
    mode = os.stat(directory).st_mode & 0o7777
    if not mode & 0o001:
        os.chmod(directory, mode | 0o055)  # noqa: S103 - it has the mode 755 by default


def is_managed(path: str, paths: AppPaths) -> bool:
    """Return whether the services' path is our link, also by a former name of the app."""
    try:
        target = os.readlink(path)
    except OSError:
        return False
    if target == paths.current:
        return True
    home, name = os.path.split(target)
    beside = os.path.dirname(home) == os.path.dirname(paths.home)
    return beside and name == "current" and os.path.realpath(home) == os.path.realpath(paths.home)


def describe(path: str) -> str:
    """Say what exists in the place of our link."""
    return f"{_kind(path)}, not managed by autoupdate"


def _kind(path: str) -> str:
    if os.path.islink(path):
        return f"a link to {os.readlink(path)}"
    return "a directory" if os.path.isdir(path) else "a file"


def claim(path: str, paths: AppPaths) -> None:
    """Make sure that the services' path is our link or can become it; changes nothing.

    Raises ConfigurationError when something else is there.
    """
    if is_managed(path, paths):
        return
    if os.path.lexists(path):
        raise ConfigurationError(
            f"{path} already exists and is not managed by autoupdate: it is {_kind(path)};"
            " nothing was changed",
            f"to manage it: autoupdatectl adopt {path}; or set another path",
        )
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        raise ConfigurationError(
            f"{path} cannot be created: {parent} is not a directory", f"mkdir -p {parent}"
        )


def place(path: str, paths: AppPaths) -> None:
    """Create our link at the services' path.

    Raises ConfigurationError, with the command to type, when it cannot be created.
    """
    if is_managed(path, paths):
        return
    claim(path, paths)
    try:
        os.symlink(paths.current, path)
        sync_directory(os.path.dirname(path))
    except OSError as error:
        link = ["ln", "--symbolic", "--no-target-directory", "--", paths.current, path]
        # In the unit's sandbox most of the host is read-only; systemd can create the link.
        command = ["systemd-run", "--quiet", "--wait", "--collect", "--", *link]
        with suppress(NotStartedError, TimedOutError):
            run(command, environment=base_environment("/root"), timeout=60)
        if not is_managed(path, paths):
            raise ConfigurationError(
                f"{path} cannot be created: {error.strerror}", " ".join(link)
            ) from None
