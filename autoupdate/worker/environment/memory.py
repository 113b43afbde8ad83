"""Which packages were found for which files of a repository, so that they are not resolved anew.

Each environment has a list of the last few resolutions that led to it (RESOLVED). One counts for a
release if all files that the resolver read in the repository are the same, and if the repository's
own packages ask for the same as then (own_packages.py compares that after they are built).
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from autoupdate.config.sections import Build
from autoupdate.worker.environment.linked_copy import COMPLETE, RESOLVED
from autoupdate.worker.packages import package, pip_settings
from autoupdate.worker.packages.resolution import Own, Resolution, from_json

# As many resolutions are remembered for an environment.
MOST = 10


class Known(NamedTuple):
    """One resolution: for which settings and files it counts, and what it led to."""

    request: str
    files: tuple[str, ...]
    inputs: str
    resolution: Resolution
    requires: dict[str, list[str]] | None
    """What the repository's own packages asked for; None before they were built."""


class Contents(NamedTuple):
    """What the file RESOLVED of an environment says."""

    interpreter: str
    known: tuple[Known, ...]


def request(interpreter: str, build: Build) -> str:
    """Return a digest of all settings on which a resolution depends, also those of the installer.

    Raises HostFaultError.
    """
    facts = (
        interpreter, build.installer, build.install, build.editable, build.directory, build.extras,
        build.extra_requirements, build.requirements, *pip_settings.deciding(),
    )  # fmt: skip
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def with_own(files: Sequence[str], own: Sequence[Own]) -> tuple[str, ...]:
    """Return the files that decide, with those of the repository's own packages."""
    more = [
        place
        for item in own
        for place in (
            [item.path]
            if item.is_archive
            else [os.path.join(item.path, name) for name in package.MANIFESTS]
        )
    ]
    return tuple(sorted({*files, *more}))


def digest(release: str, files: Sequence[str]) -> str:
    """Return a digest of the contents of files of a release; a missing one counts, too."""
    total = hashlib.sha256()
    for path in files:
        try:
            with open(f"{release}/{path}", "rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError:
            content = "missing"
        total.update(f"{path}\0{content}\0".encode(errors="surrogateescape"))
    return total.hexdigest()


def find(
    environments: str, release: str, asked: str, deployed: str = ""
) -> tuple[str, Known] | None:
    """Return the key of the environment that a release needs, with the resolution; None: unknown.

    `asked` is the digest of the settings. Several resolutions may count, if versions were upgraded
    meanwhile: that of the environment `deployed` first, as the others may have been rolled back.
    """
    for key in sorted(os.listdir(environments), key=lambda key: (key != deployed, key)):
        environment = f"{environments}/{key}"
        is_complete = os.path.exists(f"{environment}/{COMPLETE}")
        if is_complete and (known := matching(environment, release, asked)):
            return key, known
    return None


def matching(environment: str, release: str, asked: str) -> Known | None:
    """Return the resolution of an environment that counts for a release; None: it has none."""
    contents = read(environment)
    for known in contents.known if contents else ():
        if known.request == asked and digest(release, known.files) == known.inputs:
            return known
    return None


def files(environments: str) -> set[str]:
    """Return all files of a repository that count for some remembered resolution."""
    found: set[str] = set()
    for key in os.listdir(environments):
        contents = read(f"{environments}/{key}")
        for known in contents.known if contents else ():
            found |= set(known.files)
    return found


def read(environment: str) -> Contents | None:
    """Read the resolutions of an environment; None: there are none, or they cannot be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        with open(f"{environment}/{RESOLVED}", encoding="utf-8") as stream:
            facts = json.load(stream)
        return Contents(str(facts["interpreter"]), tuple(map(_known, facts["known"])))
    return None


def _known(facts: Mapping[str, Any]) -> Known:
    return Known(
        str(facts["request"]),
        tuple(map(str, facts["files"])),
        str(facts["inputs"]),
        from_json(facts["resolution"]),
        facts["requires"],
    )


def remember(environment: str, interpreter: str, known: Known) -> None:
    """Put a resolution first in the list of an environment. Raises OSError."""
    before = read(environment)
    same = (known.request, known.inputs)
    others = [
        item for item in (before.known if before else ()) if (item.request, item.inputs) != same
    ]
    listed = [
        {**item._asdict(), "resolution": item.resolution.to_json()}
        for item in [known, *others][:MOST]
    ]
    temporary = f"{environment}/{RESOLVED}.new"
    with suppress(FileNotFoundError):
        # Removed first: a package may have installed a link of that name.
        os.unlink(temporary)
    with open(temporary, "x", encoding="utf-8") as stream:
        json.dump({"interpreter": interpreter, "known": listed}, stream)
    os.rename(temporary, f"{environment}/{RESOLVED}")
