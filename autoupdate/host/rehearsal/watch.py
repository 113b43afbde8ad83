"""Do services come up in a rehearsal, and stay up? Each ends for good there (Restart=no)."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from autoupdate.config.sections import Probe
from autoupdate.host.probes import Probing, describe
from autoupdate.host.services import Service

LOOK_EVERY = 0.25
SHORT_OF_MEMORY = "memory was short"


class Clock(Protocol):
    """Time that only goes forward, in seconds."""

    def monotonic(self) -> float:
        """Return the seconds since some fixed moment."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Fault(NamedTuple):
    """What failed in a rehearsal."""

    subject: str
    """The service, or the description of the probe."""
    what: str
    """What was seen."""
    said: str = ""
    """The last lines that the service printed."""
    service: str = ""
    """The service that a probe is of."""
    doubt: str = ""
    """Why the sandbox or the host may be the cause, and not the release; empty if not."""

    def __str__(self) -> str:
        """Return what happened, for sentences."""
        return f"{self.subject} {self.what}" + (f": {self.said}" if self.said else "")


def watch(
    look: Callable[[], Sequence[Service]],
    starts: Mapping[str, float],
    time: float,
    probes: Sequence[Probe],
    attempt: Callable[[Probe], str],
    clock: Clock,
) -> Fault | None:
    """Wait until services are up, then watch them for some time; return the first fault.

    `starts` has how long each may take to be up, in seconds. Each probe has to pass at the end.
    """
    began = clock.monotonic()
    waiting, up = set(starts), {}
    while waiting:
        for service in look():
            if fault := ended(service):
                return fault
            if service.name in waiting and service.active == "active":
                waiting.discard(service.name)
                up[service.name] = service.main_pid
            elif service.name in waiting and clock.monotonic() - began > starts[service.name]:
                seen = f"({service.active}/{service.sub})"
                late = f"was not up {starts[service.name]:g} s after its start {seen}"
                return Fault(service.name, late)
        if waiting:
            clock.sleep(LOOK_EVERY)
    until = clock.monotonic() + time
    probings = [Probing(probe, attempt, clock) for probe in probes]
    while True:
        for service in look():
            if fault := ended(service):
                return fault
            if service.main_pid != up[service.name]:
                return Fault(service.name, f"did not stay up: process {up[service.name]} ended")
        for probing in probings:
            if seen := probing.look():
                return Fault(
                    describe(probing.probe), f"failed: {seen}", service=probing.probe.service
                )
        well = all(probing.passed and not probing.failures for probing in probings)
        if well and clock.monotonic() >= until:
            return None
        clock.sleep(LOOK_EVERY)


def ended(service: Service) -> Fault | None:
    """Return what happened if a service has ended."""
    if service.active == "failed":
        # The kernel ended it for its memory.
        doubt = SHORT_OF_MEMORY if service.result == "oom-kill" else ""
        return Fault(service.name, f"failed ({service.result})", doubt=doubt)
    if service.invocation and service.active in ("inactive", "deactivating"):
        if service.result == "exec-condition":
            doubt = "a command of ExecCondition= says that it is not to start"
            return Fault(service.name, "did not start", doubt=doubt)
        return Fault(service.name, f"ended ({service.active}/{service.sub})")
    return None
