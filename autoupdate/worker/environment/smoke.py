"""The smoke test: `smoke.py RELEASE REPORT WHOSE`, run by the release's own interpreter.

Writes to REPORT, as JSON, the console scripts of the app that cannot be imported, with the reason,
and what does not fit the requirements of "all" installed packages, or of the app's "own". Needs
nothing but the standard library, as it runs where this package is not installed.
"""

import importlib
import importlib.metadata
import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

GROUPS = ("console_scripts", "gui_scripts")
LONGEST_REASON = 300


def main(release: str, report: str, whose: str) -> None:
    """Test the release; leave at once, whatever it has started."""
    distributions = list(importlib.metadata.distributions())
    own = [item for item in distributions if belongs_to(item, release)]
    found = {
        "broken": dict(broken_scripts(own)),
        "conflicts": sorted(conflicts(own if whose == "own" else distributions, distributions)),
    }
    with open(report, "w", encoding="utf-8", errors="backslashreplace") as file:
        json.dump(found, file)
    # Threads of upstream's modules could keep this process for ever.
    os._exit(0)


def belongs_to(distribution: importlib.metadata.Distribution, release: str) -> bool:
    """Tell whether a distribution was installed from the release's directory (PEP 610)."""
    origin = distribution.read_text("direct_url.json")
    if origin:
        url = json.loads(origin).get("url", "")
        return bool(url.rstrip("/") == f"file://{release}")
    # Without an origin: an egg-info directory in the release itself, as old setuptools leave it.
    place = str(distribution.locate_file(""))
    return place.startswith(release) and "/.venv/" not in f"{place}/"


def broken_scripts(
    distributions: list[importlib.metadata.Distribution],
) -> Iterator[tuple[str, str]]:
    """Yield the name of each script that cannot be imported, and why."""
    for distribution in distributions:
        for script in distribution.entry_points:
            # One that belongs to an extra may lack what that extra would have installed.
            if script.group not in GROUPS or script.extras:
                continue
            try:
                script.load()
            except (Exception, SystemExit) as error:  # whatever upstream's code may raise
                reason = f"{type(error).__name__}: {error}"
                yield script.name, reason[:LONGEST_REASON]


def conflicts(
    looked_at: list[importlib.metadata.Distribution],
    distributions: list[importlib.metadata.Distribution],
) -> Iterator[str]:
    """Yield what is missing or of the wrong version, as `pip check` does."""
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
                yield f"{name} needs {wanted}, and {version} is installed"


def requirement_parser() -> Any:
    """Return the module that understands PEP 508, pip's own if need be; None without either."""
    for name in ("packaging.requirements", "pip._vendor.packaging.requirements"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


def canonical(name: str) -> str:
    """Return the one spelling of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main(*sys.argv[1:])
