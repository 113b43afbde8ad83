"""Which packages a release has installed, by the names of directories; nothing is imported.

An installed package has a directory NAME-VERSION.dist-info (Python packaging: recording installed
projects).
"""

import os
import re
from typing import NamedTuple

from autoupdate.host.unit_files import entries

RECORD = re.compile(r"([A-Za-z0-9][A-Za-z0-9._]*)-([0-9][A-Za-z0-9.+!_]*)\.dist-info")


class Differences(NamedTuple):
    """The packages that differ between two releases: versions, or pairs of old and new ones."""

    added: dict[str, str]
    removed: dict[str, str]
    changed: dict[str, tuple[str, str]]


def installed(release: str) -> dict[str, str]:
    """Return the versions of the packages in a release's environment, by name."""
    libraries = f"{release}/.venv/lib"
    found = {}
    for python in entries(libraries):
        for name in entries(f"{libraries}/{python}/site-packages"):
            if match := RECORD.fullmatch(name):
                # The name of a project can be spelled in several ways (PEP 503).
                found[re.sub(r"[._]+", "-", match[1]).lower()] = match[2]
    return found


def compare(before: str, after: str) -> Differences | None:
    """Compare the directories of two releases; None if one of them is missing."""
    if not (before and os.path.isdir(before) and os.path.isdir(after)):
        return None
    old, new = installed(before), installed(after)
    return Differences(
        {name: new[name] for name in sorted(new.keys() - old.keys())},
        {name: old[name] for name in sorted(old.keys() - new.keys())},
        {
            name: (old[name], new[name])
            for name in sorted(old.keys() & new.keys())
            if old[name] != new[name]
        },
    )
