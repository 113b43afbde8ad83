"""Finds the old updaters of an app: whatever updates its directory besides autoupdate.

These are cron lines, cron scripts, timers, services and ExecStartPre= lines, found by what they do
(command_lines.py), or by the name of the script that once did it. Reads only. A file that this user
may not read counts as empty; root sees everything.
"""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from autoupdate.adoption.command_lines import Deed, Shell, Subject
from autoupdate.config.run_from import assignments
from autoupdate.host.links import READ
from autoupdate.host.unit_files import (
    Directive,
    directives,
    drop_ins,
    entries,
    lines,
    service_of,
    unit_files,
)
from autoupdate.model.paths import Paths

SCRIPT = "auto-update.sh"
BY_NAME = "runs the old update script"
CRON, CRON_SCRIPT, TIMER = "cron line", "cron script", "timer"
START, SERVICE, TASK = "line before a service's start", "service", "service that runs once"
# In bytes. A larger file is no script that anybody wrote.
LARGEST = 1 << 18
ENVIRONMENT = re.compile(r"\s*[\"']?([A-Za-z_]\w*)[\"']?\s*=\s*(.*)")


class OldUpdater(NamedTuple):
    """One place that runs an old updater; `unit` is empty for a cron line."""

    kind: str
    file: str
    line: int
    text: str
    unit: str = ""
    why: str = BY_NAME

    @property
    def place(self) -> str:
        """The file and line, for people."""
        return f"{self.file}:{self.line}" if self.line else self.file


def find(paths: Paths, path: str, services: Sequence[str]) -> list[OldUpdater]:
    """Return everything on this host that updates the app at a path, which has these services."""
    hunt = Hunt(paths, path, services)
    return [
        *hunt.cron_lines(), *hunt.cron_scripts(), *hunt.timers(), *hunt.services(),
        *hunt.start_lines(),
    ]  # fmt: skip


class Hunt:
    """One search for what updates one app."""

    def __init__(self, paths: Paths, path: str, services: Sequence[str]) -> None:
        self.paths = paths
        self.path = path
        self.own = services
        self.subject = Subject(path, services, self._script)

    def cron_lines(self) -> Iterator[OldUpdater]:
        """Yield the lines of all crontabs (crontab(5)) that update the app."""
        yield from self._in_crontab(self.paths.crontab, "")
        for directory in self.paths.crontabs:
            for name in entries(directory):
                if name[0] != ".":
                    user = "" if directory == self.paths.crontabs[0] else name
                    yield from self._in_crontab(f"{directory}/{name}", user)

    def cron_scripts(self) -> Iterator[OldUpdater]:
        """Yield the scripts that cron runs once in an hour, a day, a week or a month."""
        for directory in self.paths.cron_scripts:
            for name in entries(directory):
                # The names that run-parts(8) accepts.
                if re.fullmatch(r"[A-Za-z0-9_-]+", name):
                    file = f"{directory}/{name}"
                    if why := self._why(file, "/", {"HOME": "/root"}):
                        yield OldUpdater(CRON_SCRIPT, file, 0, why, "", why)

    def timers(self) -> Iterator[OldUpdater]:
        """Yield the enabled timers whose service updates the app."""
        services = unit_files(self.paths, ".service")
        for timer, file in unit_files(self.paths, ".timer").items():
            if is_enabled(self.paths, timer):
                service = service_of(timer, file)
                if service in services and service not in self.own:
                    for item, why in self._starts(service, services[service], restarts=True):
                        yield OldUpdater(TIMER, item.file, item.line, item.text, timer, why)

    def services(self) -> Iterator[OldUpdater]:
        """Yield the enabled services that update the app; one that only restarts it may watch it.

        The app's own are not among them: what they start is the app.
        """
        for service, file in unit_files(self.paths, ".service").items():
            if service not in self.own and is_enabled(self.paths, service):
                types = [item.value for item in directives(file) if item.key == "Type"]
                kind = TASK if types[-1:] == ["oneshot"] else SERVICE
                for item, why in self._starts(service, file, restarts=False):
                    yield OldUpdater(kind, item.file, item.line, item.text, service, why)

    def start_lines(self) -> Iterator[OldUpdater]:
        """Yield the ExecStartPre= lines that are in effect and update the app."""
        for unit, file in unit_files(self.paths, ".service").items():
            files = (file, *drop_ins(self.paths, unit).values())
            for item in before_start(*files):
                if why := self._why_of_unit(item, files, restarts=False):
                    yield OldUpdater(START, item.file, item.line, item.text, unit, why)

    def _in_crontab(self, file: str, user: str) -> Iterator[OldUpdater]:
        variables: dict[str, str] = {}
        for number, line in enumerate(lines(file), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if found := ENVIRONMENT.fullmatch(line):
                variables[found[1]] = found[2].strip().strip("\"'")
                continue
            who, command = cron_command(line, user)
            home = variables.get("HOME", home_of(who))
            by_name = BY_NAME if self._is_named(line) else ""
            if why := by_name or self._why(command, home, {"HOME": home, **variables}):
                yield OldUpdater(CRON, file, number, line, "", why)

    def _starts(
        self, service: str, file: str, *, restarts: bool
    ) -> Iterator[tuple[Directive, str]]:
        """Yield the first ExecStart= line of a service that updates the app, and why it counts."""
        files = (file, *drop_ins(self.paths, service).values())
        for item in in_effect("ExecStart", *files):
            if why := self._why_of_unit(item, files, restarts=restarts):
                yield item, why
                return

    def _why_of_unit(self, item: Directive, files: Sequence[str], *, restarts: bool) -> str:
        every = [one for file in files for one in directives(file)]
        last = {one.key: one.value for one in every}
        home = home_of(last.get("User", "root"))
        working = last.get("WorkingDirectory", "").lstrip("-")
        variables = {"HOME": home}
        for one in every:
            if one.key == "Environment":
                variables |= dict(assignments(one.value.replace("%h", home)))
        command = item.value.replace("%h", home)
        directory = home if working == "~" else working.replace("%h", home) or "/"
        return self._why(command, directory, variables, restarts=restarts)

    def _why(
        self, command: str, directory: str, variables: dict[str, str], *, restarts: bool = True
    ) -> str:
        """Return why a command counts as an updater of the app; empty if it does not."""
        if self._is_named(command):
            return BY_NAME
        for deed in Shell(self.subject, directory, variables).deeds(command):
            if self._counts(deed, restarts=restarts):
                return deed.why
        return ""

    def _is_named(self, text: str) -> bool:
        """Return whether a text names the old script of the app, by the end of its path."""
        return SCRIPT in text and f"{os.path.basename(self.path)}/" in text

    def _counts(self, deed: Deed, *, restarts: bool) -> bool:
        return restarts or not deed.restarts_only

    def _script(self, file: str) -> str:
        """Return the text of a script; empty for what is none, or cannot be read."""
        root = self.paths.root
        try:
            real = os.path.realpath(file if file.startswith(f"{root}/") else f"{root}{file}")
            # Others own it: it may be a pipe, which nobody writes to.
            descriptor = os.open(real, READ)
        except (OSError, ValueError):
            return ""
        try:
            is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
            return os.read(descriptor, LARGEST).decode(errors="replace") if is_file else ""
        finally:
            os.close(descriptor)


def cron_command(line: str, user: str) -> tuple[str, str]:
    """Return the user and the command of a line of a crontab; without `user`, it names one."""
    times = 1 if line.lstrip().startswith("@") else 5
    words = line.split(None, times if user else times + 1)
    if not user and len(words) > times:
        user = words.pop(times)
    command = words[times] if len(words) > times else ""
    # What follows % is the input of the command.
    return user, re.split(r"(?<!\\)%", command)[0].replace("\\%", "%")


def home_of(user: str) -> str:
    """Return the home directory of a user, as far as it is known."""
    import pwd

    try:
        return (pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user or "root")).pw_dir
    except KeyError:
        return f"/home/{user}"


def is_enabled(paths: Paths, unit: str) -> bool:
    """Return whether an administrator enabled a unit."""
    directory = paths.administrators_units
    return any(
        os.path.lexists(f"{directory}/{name}/{unit}")
        for name in entries(directory)
        if name.endswith((".wants", ".requires"))
    )


def before_start(*files: str) -> list[Directive]:
    """Return the ExecStartPre= lines that are in effect."""
    return in_effect("ExecStartPre", *files)


def in_effect(key: str, *files: str) -> list[Directive]:
    """Return the lines of a list that are in effect; an empty one resets the list."""
    counting: list[Directive] = []
    for file in files:
        for item in directives(file):
            if item.key == key:
                counting = [*counting, item] if item.value else []
    return counting
