"""probation: do the restarted services come up on the new release, and stay up?

`is-active` alone would lie for a service with Restart=always: a crash between two looks shows
only in its invocation, process and restart counter.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from autoupdate.services import Service, Services
from autoupdate.settings import Health

LOOK_EVERY = 0.25


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


def soak(services: Services, started: Sequence[Service], health: Health, clock: Clock) -> None:
    """Watch services for `health.soak` seconds. Raises UnhealthyError when one did not stay up."""
    deadline = clock.monotonic() + health.soak
    names = [service.name for service in started]
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
        if clock.monotonic() >= deadline:
            return
        clock.sleep(LOOK_EVERY)


def complain_if_down(service: Service, restarts: int) -> None:
    """Raise UnhealthyError if a service failed, or is being restarted by its Restart= line."""
    if service.active == "failed":
        raise UnhealthyError(f"{service.name} failed ({service.result})")
    if service.sub.startswith("auto-restart") or service.restarts > restarts:
        reason = "" if service.result in ("", "success") else f" ({service.result})"
        raise UnhealthyError(f"{service.name} crashed and was restarted by systemd{reason}")
