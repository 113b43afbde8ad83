"""The fake effects of an app; the process can be killed at each of them (see world.py)."""

import calendar
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autoupdate.config.run_from import Unit
from autoupdate.host.clock import Clock
from autoupdate.host.services import Service
from autoupdate.host.unit_times import Times
from autoupdate.model.errors import AutoupdateError
from autoupdate.model.events import Event
from autoupdate.model.findings import Findings
from autoupdate.records.records import Records

if TYPE_CHECKING:
    from tests.unit.world import World

APP = "ipfs-accelerate"
UPSTREAM = "https://upstream.example/app.git"
SERVICES = ("web.service", "api.service", "worker.service")
FIRST_MOMENT = calendar.timegm((2099, 1, 1, 0, 0, 0))
RELEASE_SIZE = 1000
HARMLESS = Findings(
    committed_at=FIRST_MOMENT - 86400, files=100, bytes=409600, largest=4000,
    largest_path="README", before=100, deleted=0, modified=1, misleading=(), outside=(),
    submodules=(), present=(), complete=True,
)  # fmt: skip
"""What the worker finds in a commit that changes one file."""


def commit(number: int) -> str:
    """Return the commit of version `number`; the first 12 digits differ from those of others."""
    return f"{number:012x}{0:028x}"


class Killed(BaseException):
    """The process was killed here: nothing after it has an effect, not even a `finally`."""


class FakeClock(Clock):
    """A clock that moves only when somebody sleeps or asks for the time."""

    def __init__(self, effect: Callable[[str], None]) -> None:
        self.effect = effect
        self.seconds = 0.0
        self.ahead = 0.0
        """By how many seconds the time of day was set."""
        self.at_time: list[tuple[float, Callable[[], None]]] = []

    def monotonic(self) -> float:
        """Return the seconds slept so far."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass, and do what was planned for this time."""
        self.seconds += seconds
        due = [action for moment, action in self.at_time if moment <= self.seconds]
        self.at_time = [entry for entry in self.at_time if entry[0] > self.seconds]
        for action in due:
            action()

    def now(self) -> str:
        """Return the time of day, a second later at each call."""
        self.effect("clock")
        self.seconds += 1
        moment = FIRST_MOMENT + int(self.seconds + self.ahead)
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


class FakeLog:
    """Keeps events."""

    def __init__(self, effect: Callable[[str], None]) -> None:
        self.effect = effect
        self.events: list[Event] = []

    def write(self, event: Event) -> None:
        """Record one event."""
        self.effect("log")
        self.events.append(event)

    @property
    def kinds(self) -> list[str]:
        """The names of all kinds of events so far."""
        return [event.kind.name for event in self.events]


class FakeServices:
    """Services that run the release that `current` points to when they start."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.units: dict[str, Service] = {}
        self.runs: dict[str, str] = {}
        """The commit that each running service loaded at its start."""
        self.restarts: list[tuple[str, ...]] = []
        self.watched_later: list[str] = []
        self.starts_units = True
        """Whether systemd starts the unit that watches later."""
        self.refuse_restart = ""
        self.bad: set[str] = set()
        """Commits whose services fail at their start."""
        self.good_paths: set[str] = set()
        """Paths where even these run, if the path is a directory, not a link to a release."""
        self.stopped_by_hand: set[str] = set()
        self.broken_units: set[str] = set()
        """Services that fail with every commit."""
        self.bad_paths: set[str] = set()
        """Paths where nothing runs, if the path is a directory, not a link to a release."""
        self.runs_from: dict[str, str] = {}
        """Where the unit of a service says that it runs from, if not from the path."""
        self.words = ""
        """What the journal has of them."""
        self._invocations = 0

    def add(self, name: str, active: str = "active", sub: str = "running") -> None:
        """Add a service to the host."""
        self.units[name] = Service(
            name, "loaded", active, sub, "success", 100, 0, self._invocation(), "app"
        )
        self.runs[name] = self.world.at_path()

    def change(self, name: str, **facts: Any) -> None:
        """Change the properties of a service."""
        self.units[name] = self.units[name]._replace(**facts)

    def start(self, name: str) -> None:
        """Start a service, as after its gate."""
        self.runs[name] = self.world.at_path()
        own = {path for path in self.good_paths if not os.path.islink(path)}
        broken = {path for path in self.bad_paths if not os.path.islink(path)}
        fails = (
            name in self.broken_units or bool(broken) or (self.runs[name] in self.bad and not own)
        )
        self.change(
            name, active="failed" if fails else "active", sub="failed" if fails else "running",
            result="exit-code" if fails else "success", restarts=0,
            main_pid=self.units[name].main_pid + 1, invocation=self._invocation(),
        )  # fmt: skip

    def look(self, names: Sequence[str]) -> list[Service]:
        """Return the services as they are now."""
        self.world.effect("look")
        missing = Service("", "not-found", "inactive", "dead", "success", 0, 0, "", "")
        if not self.units:
            return []
        return [self.units.get(name, missing._replace(name=name)) for name in names]

    def programs(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return a program for each service."""
        return tuple(name.removesuffix(".service") for name in names)

    def directives(self, names: Sequence[str]) -> list[Unit]:
        """Return units that run from `runs_from`: by default, the path."""
        return [
            {"Name": name, "LoadState": "loaded", "WorkingDirectory": where}
            for name in names
            if name in self.units and (where := self.runs_from.get(name, self.world.settings.path))
        ]

    def times(self, names: Sequence[str]) -> dict[str, Times]:
        """Return what units allow that say nothing."""
        return {name: Times() for name in names}

    def restart(self, names: Sequence[str]) -> None:
        """Restart services at once."""
        self.world.effect("restart")
        if not names:
            return
        self.restarts.append(tuple(names))
        if self.refuse_restart:
            raise AutoupdateError(self.refuse_restart)
        for name in names:
            self.start(name)

    def stop(self, names: Sequence[str]) -> None:
        """Stop services."""
        self.world.effect("stop")
        for name in names:
            self.change(name, active="inactive", sub="dead", main_pid=0)

    def last_words(self, names: Sequence[str], since: float) -> str:
        """Return what services wrote."""
        return self.words

    def was_told_to_stop(self, service: Service) -> bool:
        """Return whether somebody stopped a service."""
        self.world.effect("was_told_to_stop")
        return service.name in self.stopped_by_hand

    def watch_later(self, app: str) -> bool:
        """Record that the unit that watches later was started."""
        self.world.effect("watch_later")
        self.watched_later.append(app)
        return self.starts_units

    def _invocation(self) -> str:
        self._invocations += 1
        return f"{self._invocations:032x}"


class FakeTransientUnits:
    """Records what systemd was asked to start."""

    def __init__(self, effect: Callable[[str], None]) -> None:
        self.effect = effect
        self.planned: tuple[str, float, float] | None = None
        """The run that was scheduled last: app, time, spread."""
        self.fault = ""
        self.sendings = 0
        self.cleanings = 0
        self.starts_cleaning = False
        """Whether there is a service manager that starts what empties the trash."""
        self.started: list[str] = []
        """The apps of the runs that were started in parallel."""
        self.cancelled: list[str] = []
        """The apps whose scheduled run was cancelled."""
        self.ended: list[str] = []
        """The apps for which nothing is done any more."""

    def run_at(self, app: str, moment: float, spread: float) -> str:
        """Record that a run was scheduled."""
        self.effect("run_at")
        self.planned = (app, moment, spread)
        return self.fault

    def cancel(self, app: str) -> None:
        """Record that a scheduled run was cancelled."""
        self.effect("cancel")
        self.cancelled.append(app)

    def end(self, app: str) -> None:
        """Record that nothing will be done any more for an app."""
        self.effect("end")
        self.ended.append(app)

    def run_now(self, app: str) -> None:
        """Record that a run was started that nobody waits for."""
        self.effect("run_now")
        self.started.append(app)

    def send(self, app: str) -> None:
        """Record that notifications are to be sent."""
        self.effect("send")
        self.sendings += 1

    def clean(self, app: str) -> bool:
        """Record that the trash is to be emptied."""
        self.effect("clean")
        self.cleanings += 1
        return self.starts_cleaning


class FakeHooks:
    """Hooks that are functions: each gets its environment, and returns why it failed."""

    def __init__(self, effect: Callable[[str], None]) -> None:
        self.effect = effect
        self.hooks: dict[str, dict[str, Callable[[Mapping[str, str]], str]]] = {}
        """By stage, then by path."""
        self.faults: dict[str, str] = {}
        """Why a hook may not run."""
        self.ran: list[tuple[str, str, str]] = []
        """Path, event and result of each hook that was run."""

    def add(
        self, stage: str, name: str, does: Callable[[Mapping[str, str]], str] = lambda _: ""
    ) -> None:
        """Add a hook to a stage."""
        self.hooks.setdefault(stage, {})[name] = does

    def find(self, stage: str) -> list[str]:
        """Return the hooks of a stage."""
        return sorted(self.hooks.get(stage, {}))

    def fault(self, hook: str) -> str:
        """Return why a hook may not run."""
        return self.faults.get(hook, "")

    def run(
        self, hook: str, environment: Mapping[str, str], timeout: float
    ) -> tuple[str, list[str]]:
        """Run a hook."""
        self.effect("hook")
        stage = next(stage for stage, hooks in self.hooks.items() if hook in hooks)
        result = environment.get("AUTOUPDATE_RESULT", "")
        self.ran.append((hook, environment["AUTOUPDATE_EVENT"], result))
        return self.hooks[stage][hook](environment), [f"{hook} speaks"]


class FakeUnits:
    """Records which timers were disabled, and how often unit files were reloaded."""

    def __init__(self, effect: Callable[[str], None]) -> None:
        self.effect = effect
        self.off: set[str] = set()
        self.started: list[str] = []
        """The units that were started when they were enabled."""
        self.reloads = 0

    def switch(self, unit: str, *, on: bool, now: bool = True) -> None:
        """Enable or disable a unit."""
        self.effect("switch")
        if on:
            self.off.discard(unit)
            self.started += [unit] if now else []
        else:
            self.off.add(unit)

    def reload(self) -> None:
        """Reload unit files."""
        self.effect("reload")
        self.reloads += 1


class FakeSnapshots:
    """Records for which transactions shared files were copied."""

    def __init__(self, effect: Callable[[str], None]) -> None:
        self.effect = effect
        self.taken: dict[int, tuple[str, ...]] = {}
        self.restored: list[int] = []

    def take(self, number: int, patterns: Sequence[str]) -> int:
        """Copy files."""
        self.effect("take")
        self.taken = {number: tuple(patterns)}
        return len(patterns)

    def restore(self, number: int) -> bool:
        """Restore files."""
        self.effect("restore")
        if number in self.taken:
            self.restored.append(number)
        return number in self.taken

    def drop(self, number: int) -> None:
        """Remove copies."""
        self.effect("drop")
        self.taken.pop(number, None)


class FragileRecords(Records):
    """Real records; the process can be killed at each write, and nothing waits for a disk."""

    def __init__(self, path: str, effect: Callable[[str], None]) -> None:
        super().__init__(path)
        self.effect = effect
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute("PRAGMA journal_mode = MEMORY")

    def write(self, query: str, values: Sequence[Any] = ()) -> int:
        """Change something."""
        self.effect("store")
        return super().write(query, values)
