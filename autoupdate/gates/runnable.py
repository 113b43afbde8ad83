"""Whether a release can run on this host: its directory is there, and so is its Python."""

import os

from autoupdate.host.links import linked_release
from autoupdate.model.paths import AppPaths
from autoupdate.records.records import Records
from autoupdate.records.rows import Release


def is_usable(paths: AppPaths, python: str, release: Release) -> bool:
    """Tell whether a release is complete and its interpreter is still the host's.

    After an upgrade of the host, an environment made for the interpreter before it is useless.
    `python` is the setting `build.python`.
    """
    interpreter = release.interpreter.partition(" ")[0]
    return is_complete(paths, release.id) and interpreter == os.path.realpath(python)


def useless_current(paths: AppPaths, python: str, records: Records) -> Release | None:
    """Return the current release, if it is not usable and no transaction is under way."""
    current = records.release(linked_release(paths.current))
    if current is None or is_usable(paths, python, current) or records.unfinished():
        return None
    return current


def is_complete(paths: AppPaths, release: str) -> bool:
    """Tell whether the directory of a release is there with its environment."""
    return os.path.exists(f"{paths.release(release)}/.venv/bin/python")
