"""probation: do the restarted services come up on the new release, and stay up?

`systemctl is-active` alone is not enough for a service with Restart=always: only the invocation,
the process and the restart counter show a crash between two looks.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from autoupdate.config.sections import Health, Probe
from autoupdate.host.probes import Probing, describe
from autoupdate.host.services import Service, Services
from autoupdate.host.unit_times import Times

LOOK_EVERY = 0.25
# In seconds. systemd takes a moment to kill a service whose time to stop is over.
MARGIN = 5.0
# How many looks in a row may find a service down between stop and start of a manual restart.
PAUSE_OF_A_RESTART = 3
# Tries a probe once; returns what was wrong, or nothing.
Attempt = Callable[[Probe], str]


class Clock(Protocol):
    """Time that only goes forward, in seconds."""

    def monotonic(self) -> float:
        """Return the seconds since some fixed moment."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class UnhealthyError(Exception):
    """A service did not come up or did not stay up; the text names it and says what was seen."""


class ProbeFailedError(UnhealthyError):
    """A probe failed too often; the service itself is up."""

    def __init__(self, probe: Probe, seen: str) -> None:
        super().__init__(f"{describe(probe)}: {seen}")
        self.probe = probe


class FirstServiceError(UnhealthyError):
    """The service that was restarted first does not run well; `others` still run the old release.

    Each with its invocation.
    """

    def __init__(self, seen: str, others: Mapping[str, str]) -> None:
        super().__init__(seen)
        self.others = others


class Baseline(NamedTuple):
    """The invocation before the restart, and the automatic restarts that do not count."""

    invocation: str
    restarts: int


class Limits(NamedTuple):
    """How long, in seconds, a phase of a service's stop, and its start, may take."""

    stop: float
    start: float


def limits(services: Services, names: Sequence[str], health: Health) -> dict[str, Limits]:
    """Return the limits of services: those of their units, within `health.max_wait`."""
    found = services.times(names)
    allowed = {name: found.get(name, Times()) for name in names}
    return {
        name: Limits(
            min(times.stop, health.max_wait) + MARGIN,
            max(min(times.start or 0, health.max_wait), health.start_timeout),
        )
        for name, times in allowed.items()
    }


class Waiting:
    """How long each service has been in a phase of its stop, or in its start."""

    def __init__(
        self, baselines: Mapping[str, Baseline], allowed: Mapping[str, Limits], clock: Clock
    ) -> None:
        self.baselines = baselines
        self.allowed = allowed
        self.clock = clock
        self.phases: dict[str, tuple[str, str]] = {}
        self.since = dict.fromkeys(baselines, clock.monotonic())
        self.last_change = clock.monotonic()

    def look(self, service: Service) -> str:
        """Return why a service is late, or nothing."""
        now, stops = self.clock.monotonic(), self.still_runs(service)
        # Each phase of a stop has the time that the unit allows; a start has it as a whole.
        phase = ("stop", service.sub) if stops else ("start", "")
        if self.phases.get(service.name) != phase:
            self.phases[service.name] = phase
            self.since[service.name] = self.last_change = now
        # Its job may wait for that of another service.
        queued = service.has_job and service.active in ("active", "inactive", "failed")
        began = self.last_change if queued else self.since[service.name]
        limit = self.allowed[service.name]
        seen = f"({service.active}/{service.sub})"
        if stops and now - began > limit.stop:
            return f"{service.name} did not stop within {limit.stop:g} s {seen}"
        if not stops and now - began > limit.start:
            return f"{service.name} was not up {limit.start:g} s after its restart {seen}"
        return ""

    def still_runs(self, service: Service) -> bool:
        """Return whether a service has not stopped yet, for its restart."""
        same = service.invocation == self.baselines[service.name].invocation
        return same and service.active in ("active", "reloading", "refreshing", "deactivating")


def settle(
    services: Services, baselines: Mapping[str, Baseline], health: Health, clock: Clock
) -> list[Service]:
    """Wait until every service is up in a new invocation; return their states at that moment.

    Raises UnhealthyError for one that fails, or whose stop or start takes too long.
    """
    waiting = Waiting(baselines, limits(services, list(baselines), health), clock)
    stopped: set[str] = set()
    deaf_until = clock.monotonic() + health.start_timeout
    while True:
        present = services.look(list(baselines))
        restarted = [
            service
            for service in present
            if service.invocation != baselines[service.name].invocation
        ]
        for service in restarted:
            raise_if_down(service, baselines[service.name].restarts)
        started = [service for service in restarted if service.active == "active"]
        if len(started) == len(baselines):
            return started
        if not present and clock.monotonic() > deaf_until:
            raise UnhealthyError("no service manager answers")
        missing = [service for service in present if service not in started]
        for service in missing:
            if late := waiting.look(service):
                if not was_stopped(services, service):
                    raise UnhealthyError(late)
                stopped.add(service.name)
        if missing and all(service.name in stopped for service in missing):
            # An administrator stopped them.
            return started
        clock.sleep(LOOK_EVERY)


def was_stopped(services: Services, service: Service) -> bool:
    """Return whether somebody stopped a service since it was started."""
    return service.active == "inactive" and services.was_told_to_stop(service)


class Watching:
    """One service over the soak time; an administrator may restart or stop it meanwhile."""

    def __init__(self, started: Service, services: Services, health: Health, clock: Clock) -> None:
        self.started = started
        self.longest = sum(limits(services, [started.name], health)[started.name])
        self.services = services
        self.health = health
        self.clock = clock
        self.until = clock.monotonic() + health.soak
        self.away_since: float | None = None
        self.looks_down = 0
        self.stopped = False

    def look(self, present: Service) -> bool:
        """Return whether the service is up. Raises UnhealthyError when it did not stay up."""
        if self.stopped and present.invocation == self.started.invocation:
            return False
        raise_if_down(present, self.started.restarts)
        if present.runs and present.active != "activating":
            self._compare(present)
            self.away_since, self.looks_down, self.stopped = None, 0, False
            return True
        self._away(present)
        return False

    @property
    def is_over(self) -> bool:
        """Whether the service was up for long enough, or somebody stopped it."""
        return self.stopped or (self.away_since is None and self.clock.monotonic() >= self.until)

    def _compare(self, present: Service) -> None:
        if present.invocation != self.started.invocation:
            # systemd counted no automatic restart, so somebody ordered this one.
            self.started = present
            self.until = self.clock.monotonic() + self.health.soak
        elif present.main_pid != self.started.main_pid:
            raise UnhealthyError(
                f"{present.name} did not stay up: process {self.started.main_pid} ended"
                f" and was replaced by {present.main_pid}"
            )

    def _away(self, present: Service) -> None:
        """Wait for a service that is being restarted. Raises UnhealthyError if it stays down."""
        now = self.clock.monotonic()
        if self.away_since is None:
            self.away_since = now
        self.looks_down = self.looks_down + 1 if present.active == "inactive" else 0
        seen = f"({present.active}/{present.sub})"
        if self.looks_down > PAUSE_OF_A_RESTART:
            if not self.services.was_told_to_stop(self.started):
                raise UnhealthyError(f"{present.name} went down {seen}")
            self.stopped = True
        elif now - self.away_since > self.longest:
            raise UnhealthyError(f"{present.name} went down and did not come up again {seen}")


def soak(
    services: Services,
    started: Sequence[Service],
    health: Health,
    clock: Clock,
    attempt: Attempt,
) -> None:
    """Watch services for `health.soak` seconds, and until the last try of each probe has passed.

    Raises UnhealthyError when one did not stay up, or a probe failed. One that an administrator
    restarts meanwhile is watched for `health.soak` again; one that is stopped is left alone.
    """
    watched = {service.name: Watching(service, services, health, clock) for service in started}
    probings = [
        Probing(probe, attempt, clock)
        for probe in health.probe
        if probe.service in watched or not probe.service
    ]
    while True:
        present = services.look(list(watched))
        down = {service.name for service in present if not watched[service.name].look(service)}
        for probing in probings:
            if probing.probe.service in down:
                probing.begin()
            else:
                look(probing)
        stopped = {name for name, watching in watched.items() if watching.stopped}
        well = all(
            (probing.passed and not probing.failures) or probing.probe.service in stopped
            for probing in probings
        )
        if well and all(watching.is_over for watching in watched.values()):
            return
        clock.sleep(LOOK_EVERY)


def look(probing: Probing) -> None:
    """Try a probe if it is due. Raises ProbeFailedError when it has failed too often."""
    if seen := probing.look():
        raise ProbeFailedError(probing.probe, seen)


def try_probe(probe: Probe, attempt: Attempt, clock: Clock) -> None:
    """Try a probe on what runs until it passes. Raises ProbeFailedError if it fails too often."""
    probing = Probing(probe, attempt, clock)
    while not probing.passed:
        look(probing)
        if not probing.passed:
            clock.sleep(LOOK_EVERY)


def raise_if_down(service: Service, restarts: int) -> None:
    """Raise UnhealthyError if a service failed, or is being restarted by its Restart= line."""
    # In a restart that somebody ordered, a service may be "failed" between stop and start: if its
    # own start was interrupted, or if it exits with an error.
    if service.active == "failed" and not service.has_job:
        raise UnhealthyError(f"{service.name} failed ({service.result})")
    if service.sub.startswith("auto-restart") or service.restarts > restarts:
        reason = "" if service.result in ("", "success") else f" ({service.result})"
        raise UnhealthyError(f"{service.name} crashed and was restarted by systemd{reason}")
