"""The smoke test: `smoke.py RELEASE REPORT WHOSE`, run by the release's own interpreter.

Writes a JSON file: the console scripts of the app that cannot be imported, each with the reason,
those that can, and the unmet requirements of "all" installed packages or of the app's "own". Uses
only the standard library, because this package is not installed in a release.
"""

import importlib
import importlib.metadata
import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

GROUPS = ("console_scripts", "gui_scripts")
LONGEST_REASON = 300


def main(release: str, report: str, whose: str) -> None:
    """Test the release; then exit at once."""
    # What an interrupted uninstallation left of a package has no name.
    distributions = [item for item in importlib.metadata.distributions() if item.metadata["Name"]]
    own = [item for item in distributions if belongs_to(item, release)]
    broken = dict(broken_scripts(own))
    found = {
        "broken": broken,
        "good": sorted({script.name for item in own for script in scripts(item)} - broken.keys()),
        "conflicts": sorted(conflicts(own if whose == "own" else distributions, distributions)),
    }
    with open(report, "w", encoding="utf-8", errors="backslashreplace") as file:
        json.dump(found, file)
    # Without this, threads of upstream's modules could keep the process running.
    os._exit(0)


def belongs_to(distribution: importlib.metadata.Distribution, release: str) -> bool:
    """Return whether a distribution was installed from the release or a part of it (PEP 610)."""
    origin = distribution.read_text("direct_url.json")
    if origin:
        place = unquote(json.loads(origin).get("url", "")).rstrip("/")
        return f"{place}/".startswith(f"file://{release}/")
    # Without an origin: an egg-info directory in the release itself, as old setuptools leave it.
    place = str(distribution.locate_file(""))
    return place.startswith(release) and "/.venv/" not in f"{place}/"


def broken_scripts(
    distributions: list[importlib.metadata.Distribution],
) -> Iterator[tuple[str, str]]:
    """Yield the name of each script that cannot be imported, and why."""
    for distribution in distributions:
        for script in scripts(distribution):
            try:
                script.load()
            except (Exception, SystemExit) as error:  # upstream's code may raise anything
                reason = f"{type(error).__name__}: {error}"
                yield script.name, reason[:LONGEST_REASON]


def scripts(
    distribution: importlib.metadata.Distribution,
) -> Iterator[importlib.metadata.EntryPoint]:
    """Yield the console scripts of a distribution that need no extra."""
    for script in distribution.entry_points:
        # A script of an extra may need packages that only this extra installs.
        if script.group in GROUPS and not script.extras:
            yield script


def conflicts(
    looked_at: list[importlib.metadata.Distribution],
    distributions: list[importlib.metadata.Distribution],
) -> Iterator[str]:
    """Yield packages that are missing or have the wrong version, as `pip check` does."""
    looked_at = [item for item in looked_at if item.requires]
    requirements = requirement_parser() if looked_at else None
    if requirements is None:
        return
    versions = {canonical(item.metadata["Name"]): item.version for item in distributions}
    for distribution in looked_at:
        for line in distribution.requires or ():
            try:
                wanted = requirements.Requirement(line)
            except requirements.InvalidRequirement:
                continue
            if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
                continue
            version = versions.get(canonical(wanted.name))
            name = distribution.metadata["Name"]
            if version is None:
                yield f"{name} needs {wanted}, which is not installed"
            elif not wanted.specifier.contains(version, prereleases=True):
                yield f"{name} needs {wanted}, but {version} is installed"


def requirement_parser() -> Any:
    """Return a module that parses PEP 508, or pip's copy of it; None without either."""
    for name in ("packaging.requirements", "pip._vendor.packaging.requirements"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


def canonical(name: str) -> str:
    """Return the normalised name of a package (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main(*sys.argv[1:])
