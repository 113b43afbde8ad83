"""build: installs the repository's own packages in the `.venv` of a release, and nowhere else.

An install that would give the same result as an earlier one is copied from it (editable.py).
"""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress

from autoupdate.model.errors import UpdateFailedError
from autoupdate.worker.environment import editable, trace
from autoupdate.worker.environment.files import forget_locks, remove
from autoupdate.worker.environment.linked_copy import BUILD_TOOLS, INSTALLS
from autoupdate.worker.packages.resolution import Own
from autoupdate.worker.packages.tool import Tool

# The directory of the tracer (trace.py) during a build.
TRACER = "tracer"
REQUIRES = "Requires-Dist:"


def install(tool: Tool, release: str, template: str, own: Sequence[Own]) -> None:
    """Install the packages of a release. Raises UpdateFailedError, UnreachableError."""
    for item in own:
        record = f"{template}/{INSTALLS}/{hashlib.sha256(item.name.encode()).hexdigest()}.json"
        if item.is_archive or not editable.take_over(record, release):
            _install(tool, release, template, item, record)
    forget_locks(f"{release}/.venv")


def _install(tool: Tool, release: str, template: str, item: Own, record: str) -> None:
    place, venv = os.path.normpath(os.path.join(release, item.path)), f"{release}/.venv"
    target = ["--editable", place] if item.editable else [place]
    command = tool.installer.install(venv, ["--no-deps", *target], compiled=False)
    if item.is_archive:
        tool.do(command, release, UpdateFailedError)
        return
    # The build tools were installed with the environment: nothing is downloaded here.
    offline = [*command, "--no-build-isolation"]
    log, tracer = f"{venv}/trace", f"{venv}/{TRACER}"
    os.makedirs(tracer, exist_ok=True)
    with open(f"{tracer}/{trace.FILE}", "w", encoding="utf-8") as file:
        file.write(trace.SOURCE)
    paths = os.pathsep.join((tracer, f"{template}/{BUILD_TOOLS}"))
    status, _ = tool.attempt(offline, release, {"PYTHONPATH": paths, trace.VARIABLE: log})
    if status:
        # A build back end may need more than pyproject.toml lists (PEP 517).
        tool.do(command, release, UpdateFailedError)
    found = editable.read_trace(log, release)
    # The build may have removed them.
    for leftover in (tracer, log):
        remove(leftover)
    editable.keep(record, venv, release, item.name, None if status else found)


def requires(release: str, own: Sequence[Own]) -> dict[str, list[str]]:
    """Return what the installed packages of a release ask for, without the release's own path."""
    found = {}
    for item in own:
        facts = editable.facts_of(f"{release}/.venv", item.name)
        lines = []
        with (
            suppress(OSError),
            open(f"{facts}/METADATA", encoding="utf-8", errors="replace") as file,
        ):
            for line in file:
                if not line.strip():
                    # What follows is the description (Python packaging: core metadata).
                    break
                if line.startswith(REQUIRES):
                    lines.append(line.removeprefix(REQUIRES).strip().replace(release, "{release}"))
        found[item.name] = sorted(lines)
    return found


def facts(release: str, own: Sequence[Own]) -> list[str]:
    """Return the directories with what is recorded of the installed packages of a release."""
    places = [editable.facts_of(f"{release}/.venv", item.name) for item in own]
    return [place for place in places if place]
