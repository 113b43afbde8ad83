"""Rehearses the services of a release: systemd starts them in a sandbox, and they are watched.

A rehearsal has units of its own in /run, and a directory; both are removed at its end. After a run
that was killed its units end by themselves, and the next run removes them.
"""

import hashlib
import os
import re
import time as clock_of_day
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from autoupdate.config.sections import Probe, Settings
from autoupdate.host import shared
from autoupdate.host.process import Identity, find_user
from autoupdate.host.rehearsal import composed, sandbox, scratch, units
from autoupdate.host.rehearsal.obstacles import obstacle
from autoupdate.host.rehearsal.probe_unit import question
from autoupdate.host.rehearsal.watch import SHORT_OF_MEMORY, Clock, Fault, watch
from autoupdate.host.services import Service, Services
from autoupdate.model.errors import HostFaultError, describe
from autoupdate.model.paths import AppPaths, Paths

PREFIX = "autoupdate-rehearse-"
# Raised when the sandbox changes so much that what failed in it may pass now.
SANDBOX = 1
# In seconds.
PROBE_OVERHEAD = 20.0
LAST_LINES = 3
LONGEST_LINE = 200
# Of systemd itself, which says no more than the result does.
OF_SYSTEMD = re.compile(
    rf"(Starting|Started|Stopp|Finished) |{PREFIX}\S+: (?!Failed (to|at) )|systemd\S* "
)
# Words for what the sandbox forbids, and production may allow; then for faults of the host.
NOT_OF_THE_RELEASE = (
    "Read-only file system", "Network is unreachable", "Operation not permitted",
    "Temporary failure in name resolution", "Name or service not known", "No route to host",
    "No space left on device", "Disk quota exceeded", "Cannot allocate memory",
    "Too many open files in system", "Input/output error",
)  # fmt: skip


class Rehearsals(Protocol):
    """What an update needs of rehearsals."""

    def obstacles(self, names: Sequence[str]) -> dict[str, str]:
        """Return the services that cannot be rehearsed, each with the reason."""

    def digest(self, name: str) -> str:
        """Return a digest of a service's unit and of all settings that its rehearsal has."""

    def perform(
        self, release: str, names: Sequence[str], probes: Sequence[Probe], time: float
    ) -> Fault | None:
        """Rehearse services of a release for some time, in seconds; return the first fault.

        Raises HostFaultError if systemd does not start them.
        """

    def clean(self) -> bool:
        """Remove what a rehearsal left whose run was killed; return whether there was any."""


class SystemdRehearsals:
    """Rehearsals on this host."""

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        services: Services,
        clock: Clock,
        probe_user: Callable[[Probe], Identity | None],
        note: Callable[[str], None],
    ) -> None:
        self.paths = paths
        self.app: AppPaths = paths.app(settings.app)
        self.settings = settings
        self.services = services
        self.clock = clock
        self.probe_user = probe_user
        self.note = note
        self._known: dict[str, units.Unit] = {}

    def obstacles(self, names: Sequence[str]) -> dict[str, str]:
        """Return the services that cannot be rehearsed, each with the reason."""
        found = self._units(names)
        return {name: why for name in names if (why := obstacle(found[name]))}

    def digest(self, name: str) -> str:
        """Return a digest of a service's unit and of all settings that its rehearsal has."""
        unit = self._units([name])[name]
        probes = [probe for probe in self.settings.health.probe if probe.service == name]
        known = [SANDBOX, unit.text, self.settings.rehearse, probes, self.settings.shared]
        return hashlib.sha256(repr(known).encode(errors="surrogateescape")).hexdigest()[:16]

    def perform(
        self, release: str, names: Sequence[str], probes: Sequence[Probe], time: float
    ) -> Fault | None:
        """Rehearse services of a release for some time, in seconds; return the first fault.

        Raises HostFaultError if systemd does not start them.
        """
        self.clean()
        found, starts = self._units(names), self._starts(names)
        try:
            plan = self._plan(release, names, time)
            user = shared.owner(self.services, names).user
            settings = self.settings
            if said := plan.scratch.make(settings.shared, settings.rehearse, user):
                self.note(said)
            self._write(plan.holder, composed.holder(plan, max(starts.values())))
            for name in names:
                self._write(plan.names[name], composed.service(plan, found[name], starts[name]))
            for number, probe in enumerate(probes):
                self._write_probe(plan, number, probe)
            units.systemctl("start", "--", plan.holder)
            began = clock_of_day.time()
            units.systemctl("start", "--no-block", "--", *plan.names.values())
            fault = watch(
                lambda: self._look(plan.names), starts, time, probes,
                lambda probe: self._try(plan, probes.index(probe), probe), self.clock,
            )  # fmt: skip
            return self._with_words(fault, plan, began) if fault else None
        except OSError as error:
            raise HostFaultError(f"the services cannot be rehearsed: {error}") from None
        finally:
            self.clean()

    def clean(self) -> bool:
        """Remove what a rehearsal left whose run was killed; return whether there was any."""
        names = left_units(self.paths, self.settings.app)
        if names:
            # What is not loaded any more cannot be stopped.
            for verb in ("stop", "reset-failed"):
                with suppress(HostFaultError):
                    units.systemctl(verb, "--", *names)
        try:
            for name in names:
                os.unlink(f"{self.paths.runtime_units}/{name}")
            return scratch.remove(self.app) or bool(names)
        except OSError as error:
            # It stops no update: the next run tries again.
            self.note(f"what it used could not be removed: {describe(error)}")
            return False

    def _units(self, names: Sequence[str]) -> dict[str, units.Unit]:
        missing = tuple(name for name in names if name not in self._known)
        self._known |= units.read(missing)
        return self._known

    def _starts(self, names: Sequence[str]) -> dict[str, float]:
        """Return how long each service may take to be up, as after a restart by an update."""
        health, times = self.settings.health, self.services.times(names)
        own = {name: times[name].start or 0 for name in names if name in times}
        least = health.start_timeout
        return {name: max(min(own.get(name, 0), health.max_wait), least) for name in names}

    def _plan(self, release: str, names: Sequence[str], time: float) -> composed.Plan:
        # Its own for each rehearsal: systemd keeps a unit that has failed, and its old text.
        token = f"{int(clock_of_day.time() * 1000) % 16**6:06x}"
        begin = f"{PREFIX}{self.settings.app}"
        return composed.Plan(
            self.settings.app, scratch.Scratch(self.app, release),
            f"{begin}.{token}.service",
            {name: f"{begin}-{name.replace('@', ':').removesuffix('.service')}.{token}.service"
             for name in names},
            sandbox.sockets(self.app.home), sandbox.memory(), time, find_user,
        )  # fmt: skip

    def _write(self, name: str, text: str) -> None:
        file = f"{self.paths.runtime_units}/{name}"
        with open(file, "x", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(text)

    def _write_probe(self, plan: composed.Plan, number: int, probe: Probe) -> None:
        user = self.probe_user(probe)
        with open(f"{plan.scratch.probes}/{number}.json", "x", encoding="utf-8") as file:
            file.write(question(probe, self.settings.path))
        text = composed.prober(plan, number, user.name if user else "", probe.timeout)
        self._write(_prober(plan, number), text)

    def _try(self, plan: composed.Plan, number: int, probe: Probe) -> str:
        """Try a probe once in the sandbox; return what was wrong, or nothing."""
        try:
            units.systemctl(
                "start", "--", _prober(plan, number), timeout=probe.timeout + PROBE_OVERHEAD
            )
        except HostFaultError as error:
            return f"the probe could not be tried: {error.message}"
        answer = f"{plan.scratch.probes}/{number}.answer"
        with open(answer, encoding="utf-8", errors="replace") as file:
            return file.read().strip()

    def _look(self, names: Mapping[str, str]) -> list[Service]:
        """Return the rehearsed services under the names of the services."""
        seen = self.services.look(list(names.values()))
        return [item._replace(name=name) for name, item in zip(names, seen, strict=False)]

    def _with_words(self, fault: Fault, plan: composed.Plan, began: float) -> Fault:
        """Add what the service printed last, and whether that casts doubt on the fault."""
        name = fault.service or fault.subject
        unit = plan.names.get(name)
        if unit is None:
            return fault
        # journald may be a moment late.
        self.clock.sleep(0.2)
        lines = [
            line.strip()[:LONGEST_LINE]
            for line in self.services.last_words([unit], began - 1).splitlines()
            if line.strip() and not OF_SYSTEMD.match(line)
        ]
        said = "; ".join(lines[-LAST_LINES:])
        doubtful = [line for line in lines if any(words in line for words in NOT_OF_THE_RELEASE)]
        doubt = fault.doubt
        if doubt == SHORT_OF_MEMORY and composed.memory_of(plan, self._known[name]) < plan.memory:
            # It has used up what its own unit allows, in production, too.
            doubt = ""
        doubt = doubt or (f'it said "{doubtful[-1]}"' if doubtful else "")
        return fault._replace(said=said, doubt=doubt)


def _prober(plan: composed.Plan, number: int) -> str:
    return plan.holder.replace(f"{PREFIX}{plan.app}.", f"{PREFIX}{plan.app}.probe-{number}.")


def left_units(paths: Paths, app: str) -> list[str]:
    """Return the units of rehearsals of an app that are on the host."""
    with suppress(FileNotFoundError):
        names = [name for name in os.listdir(paths.runtime_units)
                 if name.startswith(f"{PREFIX}{app}")]  # fmt: skip
        return sorted(name for name in names if _is_of(f"{paths.runtime_units}/{name}", app))
    return []


def _is_of(file: str, app: str) -> bool:
    """Return whether a unit file is one of an app: the names of two apps may begin alike."""
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.readline().rstrip("\n") == composed.marker(app)
    except OSError:
        return False
