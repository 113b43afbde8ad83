"""Finds the old updaters: cron lines, timers and ExecStartPre= lines that run auto-update.sh.

Reads only. A file that this user may not read counts as empty; root sees everything.
"""

import os
from typing import NamedTuple

from autoupdate.host.unit_files import Directive, directives, drop_ins, entries, lines, unit_files
from autoupdate.model.paths import Paths

SCRIPT = "auto-update.sh"
CRON, TIMER, START = "cron line", "timer", "line before a service's start"


class OldUpdater(NamedTuple):
    """One place that runs the old script; `unit` is empty for a cron line."""

    kind: str
    file: str
    line: int
    text: str
    unit: str = ""

    @property
    def place(self) -> str:
        """The file and line, for people."""
        return f"{self.file}:{self.line}"

    def concerns(self, path: str) -> bool:
        """Return whether it is about the checkout at a path; its last part is enough."""
        return f"{os.path.basename(path)}/" in self.text


def find(paths: Paths) -> list[OldUpdater]:
    """Return everything on this host that runs the old script."""
    return cron_lines(paths) + timers(paths) + start_lines(paths)


def cron_lines(paths: Paths) -> list[OldUpdater]:
    """Return the lines of all crontabs (crontab(5)) that run the old script."""
    files = [paths.crontab]
    for directory in paths.crontabs:
        files += [f"{directory}/{name}" for name in entries(directory) if name[0] != "."]
    return [
        OldUpdater(CRON, file, number, line)
        for file in files
        for number, line in enumerate(lines(file), start=1)
        if SCRIPT in line and not line.lstrip().startswith("#")
    ]


def timers(paths: Paths) -> list[OldUpdater]:
    """Return the enabled timers whose service runs the old script."""
    services, found = unit_files(paths, ".service"), []
    for timer, file in unit_files(paths, ".timer").items():
        if not is_enabled(paths, timer):
            continue
        named = [item.value for item in directives(file) if item.key == "Unit"]
        service = named[-1] if named else f"{timer.removesuffix('.timer')}.service"
        found += [
            OldUpdater(TIMER, item.file, item.line, item.text, timer)
            for item in (directives(services[service]) if service in services else ())
            if item.key == "ExecStart" and SCRIPT in item.value
        ]
    return found


def is_enabled(paths: Paths, unit: str) -> bool:
    """Return whether an administrator enabled a unit."""
    directory = paths.administrators_units
    return any(
        os.path.lexists(f"{directory}/{name}/{unit}")
        for name in entries(directory)
        if name.endswith((".wants", ".requires"))
    )


def start_lines(paths: Paths) -> list[OldUpdater]:
    """Return the ExecStartPre= lines of services that run the old script and are in effect."""
    return [
        OldUpdater(START, item.file, item.line, item.text, unit)
        for unit, file in unit_files(paths, ".service").items()
        for item in before_start(file, *drop_ins(paths, unit).values())
        if SCRIPT in item.value
    ]


def before_start(*files: str) -> list[Directive]:
    """Return the ExecStartPre= lines that are in effect; an empty one resets the list."""
    counting: list[Directive] = []
    for file in files:
        for item in directives(file):
            if item.key == "ExecStartPre":
                counting = [*counting, item] if item.value else []
    return counting
