"""Names that an app had before `autoupdatectl rename`, and a rename that has not ended.

Virtual environments hold their own path. So a former name stays as a link to the directory of the
new one, beside which it is, until no release needs it any more (adoption/former_names.py).
"""

import json
import os
from typing import NamedTuple

from autoupdate.model.errors import ConfigurationError
from autoupdate.model.paths import AppPaths


class RenamedError(ConfigurationError):
    """No app has this name any more."""


class UnfinishedRenameError(ConfigurationError):
    """A rename was interrupted, or is under way; services start on what is deployed."""


class Rename(NamedTuple):
    """A rename that has begun, as it is recorded beside the state of the app."""

    old: str
    new: str
    path: str
    textfile: str
    """Directory of the app's metrics; empty if it has none."""


def new_name(place: AppPaths) -> str:
    """Return the name that an app has now; empty if this one is no former name."""
    try:
        target = os.readlink(place.home)
    except OSError:
        return ""
    # An administrator may have moved the state to another disk, and left a link to there.
    return "" if "/" in target else target


def unfinished(place: AppPaths) -> Rename | None:
    """Return the rename that has not ended; by the old name as by the new one."""
    try:
        with open(place.renaming, encoding="utf-8") as stream:
            return Rename(**json.load(stream))
    except (OSError, ValueError, TypeError):
        return None


def refuse(place: AppPaths, app: str) -> None:
    """Raise UnfinishedRenameError or RenamedError for an app that cannot be used by this name."""
    if begun := unfinished(place):
        again = f"autoupdatectl rename {begun.old} {begun.new}"
        raise UnfinishedRenameError(
            f"the rename of {begun.old} to {begun.new} has not ended; if it was interrupted, type"
            f" again: {again}",
            again,
        )
    if name := new_name(place):
        raise RenamedError(
            f"{app} was renamed to {name}",
            f"use that name; to free the former one: autoupdatectl forget {app}",
        )
