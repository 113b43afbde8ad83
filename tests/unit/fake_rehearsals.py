"""Rehearsals of services without a service manager, for the world of unit tests (world.py)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autoupdate.config.sections import Probe
from autoupdate.host.probes import describe
from autoupdate.host.rehearsal.watch import Fault
from autoupdate.model.errors import HostFaultError

if TYPE_CHECKING:
    from tests.unit.world import World


class FakeRehearsals:
    """Rehearsals in which what is named fails, with some commits or with all."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.faults: list[tuple[str, Fault]] = []
        """What fails, in this order, each with the commit that it fails with; empty for all."""
        self.once: set[str] = set()
        """Subjects that fail the first time only."""
        self.no_rehearsal: dict[str, str] = {}
        """Why a service cannot be rehearsed."""
        self.refused = ""
        """Why systemd starts none."""
        self.digests: dict[str, str] = {}
        self.performed: list[tuple[str, tuple[str, ...], float]] = []
        """The commit, the services and the time of each."""
        self.left = False
        """Whether a killed run has left something."""

    def obstacles(self, names: Sequence[str]) -> dict[str, str]:
        """Return why services cannot be rehearsed."""
        return {name: why for name, why in self.no_rehearsal.items() if name in names}

    def digest(self, name: str) -> str:
        """Return the digest of a unit."""
        return self.digests.get(name, "d1")

    def perform(
        self, release: str, names: Sequence[str], probes: Sequence[Probe], time: float
    ) -> Fault | None:
        """Return the first fault of what takes part."""
        self.world.effect("rehearse_services")
        if self.refused:
            raise HostFaultError(self.refused)
        record = self.world.records.release(release)
        assert record is not None
        self.performed.append((record.commit, tuple(names), time))
        taking_part = {*names, *(describe(probe) for probe in probes)}
        for number, (of, fault) in enumerate(self.faults):
            if of in ("", record.commit) and fault.subject in taking_part:
                if fault.subject in self.once:
                    del self.faults[number]
                return fault
        return None

    def clean(self) -> bool:
        """Remove what a killed run has left."""
        left, self.left = self.left, False
        return left
