"""probation: do the restarted services come up on the new release, and stay up?

`is-active` alone would lie for a service with Restart=always: a crash between two looks shows
only in its invocation, process and restart counter.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from autoupdate.probes import describe
from autoupdate.services import Service, Services
from autoupdate.settings import Health, Probe

LOOK_EVERY = 0.25
# Tries a probe once; gives what was wrong, or nothing.
Attempt = Callable[[Probe], str]


class Clock(Protocol):
    """Time that only goes forward, in seconds."""

    def monotonic(self) -> float:
        """Return the time since some moment."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class UnhealthyError(Exception):
    """A service did not come up or did not stay up; the text names it and says what was seen."""


class Baseline(NamedTuple):
    """What to compare a start with: the invocation before it, the restarts that are no fault."""

    invocation: str
    restarts: int


def settle(
    services: Services, baselines: Mapping[str, Baseline], health: Health, clock: Clock
) -> list[Service]:
    """Wait until every service is up in an invocation of its own; return them as they are then.

    Raises UnhealthyError for one that fails, or takes longer than `health.start_timeout`.
    """
    deadline = clock.monotonic() + health.start_timeout
    while True:
        present = services.look(list(baselines))
        anew = [
            service
            for service in present
            if service.invocation != baselines[service.name].invocation
        ]
        for service in anew:
            complain_if_down(service, baselines[service.name].restarts)
        started = [service for service in anew if service.active == "active"]
        if len(started) == len(baselines):
            return started
        if clock.monotonic() > deadline:
            late = next(service for service in present if service not in started)
            raise UnhealthyError(
                f"{late.name} was not up {health.start_timeout:g} s after its restart"
                f" ({late.active}/{late.sub})"
            )
        clock.sleep(LOOK_EVERY)


class Probing:
    """One probe over the soak time: when it is due, whether it passed, how often it failed."""

    def __init__(self, probe: Probe, attempt: Attempt, clock: Clock) -> None:
        self.probe = probe
        self.attempt = attempt
        self.clock = clock
        self.due = clock.monotonic()
        self.counts_from = self.due + probe.grace
        self.passed = False
        self.failures = 0

    def look(self) -> None:
        """Try the probe if it is due. Raises UnhealthyError when it has failed too often."""
        if self.clock.monotonic() < self.due:
            return
        seen = self.attempt(self.probe)
        now = self.clock.monotonic()
        self.due = now + self.probe.interval
        if not seen:
            self.passed, self.failures = True, 0
        elif self.passed or now >= self.counts_from:
            self.failures += 1
            if self.failures > self.probe.retries:
                raise UnhealthyError(f"{describe(self.probe)}: {seen}")


def soak(
    services: Services,
    started: Sequence[Service],
    health: Health,
    clock: Clock,
    attempt: Attempt,
) -> None:
    """Watch services for `health.soak` seconds, and until the last try of each probe has passed.

    Raises UnhealthyError when one did not stay up, or a probe failed.
    """
    deadline = clock.monotonic() + health.soak
    names = [service.name for service in started]
    probings = [
        Probing(probe, attempt, clock)
        for probe in health.probe
        if probe.service in names or not probe.service
    ]
    while True:
        for first, present in zip(started, services.look(names), strict=True):
            complain_if_down(present, first.restarts)
            if present.active != "active":
                raise UnhealthyError(f"{present.name} went down ({present.active}/{present.sub})")
            if (present.invocation, present.main_pid) != (first.invocation, first.main_pid):
                raise UnhealthyError(
                    f"{present.name} did not stay up: process {first.main_pid} ended"
                    f" and was replaced by {present.main_pid}"
                )
        for probing in probings:
            probing.look()
        well = all(probing.passed and not probing.failures for probing in probings)
        if well and clock.monotonic() >= deadline:
            return
        clock.sleep(LOOK_EVERY)


def complain_if_down(service: Service, restarts: int) -> None:
    """Raise UnhealthyError if a service failed, or is being restarted by its Restart= line."""
    if service.active == "failed":
        raise UnhealthyError(f"{service.name} failed ({service.result})")
    if service.sub.startswith("auto-restart") or service.restarts > restarts:
        reason = "" if service.result in ("", "success") else f" ({service.result})"
        raise UnhealthyError(f"{service.name} crashed and was restarted by systemd{reason}")
