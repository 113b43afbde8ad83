"""One app with everything that an update of it needs: what each step of a run is given.

Facts and records are data; each effect stands behind a protocol, so that tests replace it.
"""

from collections.abc import Callable
from typing import NamedTuple

from autoupdate.config.settings import Probe, Settings, Upstream
from autoupdate.host.clock import Clock
from autoupdate.host.hook_files import Hooks
from autoupdate.host.log import Log
from autoupdate.host.services import Services
from autoupdate.host.snapshots import Snapshots
from autoupdate.host.transient_units import TransientUnits
from autoupdate.model.errors import Exit
from autoupdate.model.events import STEP, Event, Kind
from autoupdate.model.paths import AppPaths
from autoupdate.model.signatures import Keys
from autoupdate.model.steps import Result
from autoupdate.model.track import Found
from autoupdate.records import second_copy
from autoupdate.records.records import Records
from autoupdate.worker.client import Worker


class Outcome(NamedTuple):
    """How a run ended: what the caller is told, and the exit code."""

    result: Result
    exit_code: Exit
    reason: str
    commit: str = ""
    release: str = ""
    advice: str = ""


class Host(NamedTuple):
    """What an update does to the host beside its own directories."""

    services: Services
    transient_units: TransientUnits
    hooks: Hooks
    snapshots: Snapshots
    place: Callable[[str, AppPaths], None]
    """Puts our link where the services look for the app. Raises AutoupdateError."""
    probe: Callable[[Probe], str]
    """Asks whether a service is healthy; returns what is wrong, or nothing."""
    provide_shared: Callable[[str], None]
    """Links what outlives a release into one."""
    hand_over_shared: Callable[[], None]
    """Gives what outlives a release to the services' user, as soon as that is known."""


class App(NamedTuple):
    """An app: its settings, its records, and the effects by which it is updated."""

    settings: Settings
    paths: AppPaths
    records: Records
    ask_upstream: Callable[[Upstream], Found]
    trusted_keys: Callable[[], Keys]
    worker: Worker
    host: Host
    clock: Clock
    log: Log
    cures: tuple[Callable[["App"], Outcome | None], ...]
    """What each room does first to end what a run of its own left when it died (recover.py)."""
    leave_for_next: Callable[["App", Outcome], None]
    """Writes down what lets the next run see quickly that there is nothing new."""

    @property
    def name(self) -> str:
        """The app's name."""
        return self.settings.app

    def tell(
        self, kind: Kind, message: str, *, commit: str = "", release: str = "", step: str = ""
    ) -> None:
        """Record an event of this app."""
        self.log.write(Event(kind, message, self.name, commit, release, step))
        if kind.told_as and self.settings.notify.urls:
            from autoupdate.records import outbox

            outbox.put(self.records, self.settings.notify, kind, message, self.clock.now())

    def keep_second_copy(self) -> None:
        """Write the second copy of the records; an update goes on where that is impossible."""
        try:
            second_copy.write(self.records, self.paths.state)
        except OSError as error:
            self.tell(STEP, f"{self.name}: no second copy of the state: {error.strerror}")
