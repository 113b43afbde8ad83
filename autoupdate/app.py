"""One app with everything that an update of it touches; tests replace the effects one by one."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from autoupdate.config.settings import Probe, Settings, Upstream
from autoupdate.host.hook_files import Hooks
from autoupdate.host.log import Log
from autoupdate.host.services import Services
from autoupdate.host.snapshots import Snapshots
from autoupdate.host.transient_units import Agenda
from autoupdate.model.errors import Exit
from autoupdate.model.events import Event, Kind
from autoupdate.model.paths import AppPaths
from autoupdate.model.signatures import Keys
from autoupdate.model.steps import Result
from autoupdate.model.track import Found
from autoupdate.records.records import Store
from autoupdate.worker.client import Workshop

if TYPE_CHECKING:
    from autoupdate.adoption.host_changes import HostChanges


class Clock:
    """The host's clocks."""

    def monotonic(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def now(self) -> str:
        """Return the time of day, RFC 3339 in UTC."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class App(NamedTuple):
    """An app: its settings, its paths, and the effects by which it is updated."""

    settings: Settings
    paths: AppPaths
    store: Store
    check: Callable[[Upstream], Found]
    workshop: Workshop
    services: Services
    agenda: Agenda
    hooks: Hooks
    keys: Callable[[], Keys]
    provide_shared: Callable[[str], None]
    hand_over_shared: Callable[[], None]
    snapshots: Snapshots
    place: Callable[[str, AppPaths], None]
    probe: Callable[[Probe], str]
    clock: Clock
    log: Log
    host_changes: "Callable[[], HostChanges]"
    leave_for_next: Callable[["App", "Outcome"], None]

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

            outbox.put(self.store, self.settings.notify, kind, message, self.clock.now())


class Outcome(NamedTuple):
    """How a run ended: what the caller is told, and the exit code."""

    result: Result
    exit_code: Exit
    reason: str
    commit: str = ""
    release: str = ""
    advice: str = ""
