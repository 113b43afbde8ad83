"""One app with all that an update of it needs; each step of a run gets this.

Settings, paths and records are data. Each effect is behind a protocol or function, so that tests
can replace it.
"""

from collections.abc import Callable
from typing import NamedTuple

from autoupdate.config.sections import Probe, Settings, Upstream
from autoupdate.host.clock import Clock
from autoupdate.host.hook_files import Hooks
from autoupdate.host.log import Log
from autoupdate.host.rehearsal.rehearsals import Rehearsals
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
    """How a run ended: the result, the exit code, and a reason and advice for people."""

    result: Result
    exit_code: Exit
    reason: str
    commit: str = ""
    release: str = ""
    advice: str = ""


class Host(NamedTuple):
    """What an update does on the host outside its own directories."""

    services: Services
    transient_units: TransientUnits
    hooks: Hooks
    snapshots: Snapshots
    rehearsals: Rehearsals
    place: Callable[[str, AppPaths], None]
    """Makes the link at `path`, where the services run the app. Raises AutoupdateError."""
    probe: Callable[[Probe], str]
    """Checks whether a service is healthy; returns what is wrong, or nothing."""
    noexec: Callable[[AppPaths], str]
    """Returns the mount point of the app's directory if nothing can be executed there, or ""."""
    provide_shared: Callable[[str], None]
    """Links the shared files into a release."""
    hand_over_shared: Callable[[], None]
    """Makes the services' user the owner of the shared files, as soon as it is known."""


class App(NamedTuple):
    """An app: its settings, its records, and the effects that update it."""

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
    """Called first in each run: they end what an interrupted adoption left (update/recover.py)."""
    leave_for_next: Callable[["App", Outcome], None]
    """Leaves what the fast path of the next run compares (service_start/fast_path.py)."""

    @property
    def name(self) -> str:
        """The app's name."""
        return self.settings.app

    def tell(
        self, kind: Kind, message: str, *, commit: str = "", release: str = "", step: str = ""
    ) -> None:
        """Log an event of this app, and notify of it if `notify.events` has it."""
        self.log.write(Event(kind, message, self.name, commit, release, step))
        if kind.told_as and self.settings.notify.urls:
            from autoupdate.records import outbox

            outbox.put(self.records, self.settings.notify, kind, message, self.clock.now())

    def keep_second_copy(self) -> None:
        """Write the second copy of the records; if that fails, the update goes on."""
        try:
            second_copy.write(self.records, self.paths.state)
        except OSError as error:
            fault = f"the second copy of the state cannot be written: {error.strerror}"
            self.tell(STEP, f"{self.name}: {fault}")
