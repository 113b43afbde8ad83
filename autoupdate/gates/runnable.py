"""Whether a release can run on this host: its files and its Python still exist."""

import os

from autoupdate.host.links import linked_release
from autoupdate.model.commits import kept
from autoupdate.model.errors import NoexecError
from autoupdate.model.paths import AppPaths
from autoupdate.records.records import Records
from autoupdate.records.rows import Release


def is_usable(paths: AppPaths, python: str, release: Release) -> bool:
    """Return whether a release is complete and its interpreter is still the host's.

    An upgrade of the host replaces the interpreter; environments made for the old one no longer
    work. `python` is the setting `build.python`.
    """
    interpreter = release.interpreter.partition(" ")[0]
    return is_complete(paths, release.id) and interpreter == os.path.realpath(python)


def useless_current(paths: AppPaths, python: str, records: Records) -> Release | None:
    """Return the current release if it cannot run and no transaction is unfinished."""
    current = records.release(linked_release(paths.current))
    if current is None or is_usable(paths, python, current) or records.unfinished():
        return None
    return current


def is_complete(paths: AppPaths, release: str) -> bool:
    """Return whether the directory of a release exists, with its environment."""
    return os.path.exists(f"{paths.release(release)}/.venv/bin/python")


def check_executable(mount: str, paths: AppPaths) -> None:
    """Raise NoexecError if nothing can be executed in a release; `mount`: where, or nothing."""
    if mount:
        raise NoexecError(
            f"{mount} is mounted noexec, so that no program in {paths.home} can be executed",
            allow_execution(mount),
        )


def deployed(paths: AppPaths, release: str) -> str:
    """Say what is deployed after a run that changed nothing; `release` is empty if not known."""
    release = release or linked_release(paths.current)
    if release and not is_complete(paths, release):
        return f"release {release} is current, but its directory is missing or not complete"
    return kept(release)


def allow_execution(mount: str) -> str:
    """Return what to type when a mount is noexec."""
    import shlex

    place = shlex.quote(mount)
    return f"mount -o remount,exec {place}    # and remove noexec from its line in /etc/fstab"
