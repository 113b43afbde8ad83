"""An app with fake effects (upstream, builds, services) in a directory of the test.

The process can be killed at each effect: `World.die_at` is the number of the effect.
"""

import copy
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autoupdate.adoption.change_over import end_interrupted
from autoupdate.adoption.host_changes import HostChanges, undo
from autoupdate.adoption.relocation import Journal
from autoupdate.app import App, Host, Outcome
from autoupdate.config import load
from autoupdate.config.sections import Probe, Settings, Upstream
from autoupdate.config.settings import SETTINGS
from autoupdate.host import runtime_files
from autoupdate.host.links import linked_release, place
from autoupdate.host.processes import Process
from autoupdate.model.errors import AutoupdateError
from autoupdate.model.paths import AppPaths, Paths
from autoupdate.model.signatures import Keys
from autoupdate.model.track import Found, Tag
from autoupdate.records.database import StateError
from autoupdate.reports.plan import Outlook, plan
from autoupdate.update.run import one_run
from tests.unit import agreement
from tests.unit.effects import (
    APP,
    SERVICES,
    UPSTREAM,
    FakeClock,
    FakeHooks,
    FakeLog,
    FakeServices,
    FakeSnapshots,
    FakeTransientUnits,
    FakeUnits,
    FragileRecords,
    Killed,
    commit,
)
from tests.unit.fake_rehearsals import FakeRehearsals
from tests.unit.fake_worker import FakeWorker


class World:
    """An app in a directory, with its effects; `run` is one run of autoupdatectl."""

    def __init__(self, root: Path, **changes: Any) -> None:
        self.root = root
        self.all_paths = Paths(str(root))
        self.paths: AppPaths = self.all_paths.app(APP)
        self.settings = settings(root, **changes)
        self.upstream = commit(1)
        self.keys = Keys((("author.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----"),))
        self.tag = ""
        """The tag that points to it, if the track chooses among tags."""
        self.upstream_now = ""
        """The commit that the branch points to at the fetch, if it moved after the check."""
        self.in_mirror: set[str] = set()
        """The commits that were fetched."""
        self.check_fault: AutoupdateError | None = None
        self.noexec = ""
        self.effects = 0
        self.effect_names: list[str] = []
        self.die_at = 0
        self.dead = False
        for directory in (self.paths.releases, f"{root}/srv"):
            os.makedirs(directory, exist_ok=True)
        self.clock = FakeClock(self.effect)
        self.log = FakeLog(self.effect)
        self.services = FakeServices(self)
        for name in SERVICES:
            self.services.add(name)
        self.worker = FakeWorker(self)
        self.snapshots = FakeSnapshots(self.effect)
        self.transient_units = FakeTransientUnits(self.effect)
        self.hooks = FakeHooks(self.effect)
        self.rehearsals = FakeRehearsals(self)

        self.units = FakeUnits(self.effect)
        self.processes: list[Process] = []
        """The processes that use the old directory."""
        self.seen_by_probe: Callable[[Probe], str] = lambda _: ""
        self.records = FragileRecords(self.paths.state, self.effect)

    def effect(self, name: str) -> None:
        """Count an effect that is about to happen; raise Killed if it is number `die_at`."""
        self.effects += 1
        self.effect_names.append(name)
        if self.dead or self.effects == self.die_at:
            self.dead = True
            raise Killed(f"{name}, effect {self.effects}")

    def check(self, upstream: Upstream) -> Found:
        """Ask upstream."""
        self.effect("check")
        if self.check_fault:
            raise self.check_fault
        return Found(self.upstream, self.tag, (Tag(self.tag, self.upstream),) if self.tag else ())

    @property
    def app(self) -> App:
        """The app for the code under test."""

        def provide_shared(release: str) -> None:
            self.effect("provide_shared")
            for path in self.settings.shared:
                os.makedirs(f"{self.paths.shared}/{path}", exist_ok=True)

        def hand_over_shared() -> None:
            self.effect("hand_over_shared")

        def place_link(path: str, paths: AppPaths) -> None:
            self.effect("place")
            place(path, paths)

        def probe(probe: Probe) -> str:
            self.effect("probe")
            return self.seen_by_probe(probe)

        return App(
            settings=self.settings, paths=self.paths, records=self.records,
            ask_upstream=self.check, trusted_keys=lambda: self.keys, worker=self.worker,
            host=Host(
                services=self.services, transient_units=self.transient_units, hooks=self.hooks,
                snapshots=self.snapshots, rehearsals=self.rehearsals, place=place_link, probe=probe,
                noexec=lambda _: self.noexec,
                provide_shared=provide_shared, hand_over_shared=hand_over_shared,
            ),
            clock=self.clock, log=self.log,
            cures=(lambda app: end_interrupted(app, self.host_changes),),
            leave_for_next=lambda app, outcome: self.effect("leave_for_next"),
        )  # fmt: skip

    @property
    def host_changes(self) -> HostChanges:
        """The effects of an adoption outside our directories."""

        def copy(source: str, target: str) -> None:
            self.effect("copy")
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, symlinks=True)

        def put_back(paths: Paths, app: AppPaths, journal: Journal) -> None:
            self.effect("put_back")
            undo(paths, journal)

        return HostChanges(
            self.all_paths, self.units, copy, put_back, lambda path: self.processes, None
        )

    def run(self, *, force: bool = False) -> Outcome:
        """Do one run, and check that `plan` predicted it."""
        predicted = self.predict(force=force)
        outcome = one_run(self.app, wait=False, force=force)
        if predicted and self.is_sound():
            agreement.check(predicted, outcome, self.records)
        return outcome

    def predict(self, *, force: bool = False) -> Outlook | None:
        """Return what `plan` says; None for a run that it cannot predict.

        It uses a copy of this world, so that its effects are not counted.
        """
        if not agreement.can_be_predicted(self):
            return None
        twin = self.twin()
        written = self.records._connection.total_changes
        trigger = "start" if runtime_files.requests(self.paths) else "manual"
        outlook = plan(twin.app, trigger=trigger, force=force)
        assert self.records._connection.total_changes == written, "plan wrote to the state"
        return outlook

    def is_sound(self) -> bool:
        """Return whether the state can be read."""
        try:
            self.records.unfinished()
        except StateError:
            return False
        return True

    def twin(self) -> "World":
        """Return a copy of this world with the same state and files, and its own effects."""
        twin = copy.copy(self)
        twin.effects, twin.effect_names = 0, []
        twin.log, twin.transient_units = FakeLog(twin.effect), FakeTransientUnits(twin.effect)
        twin.clock = FakeClock(twin.effect)
        twin.clock.seconds, twin.clock.ahead = self.clock.seconds, self.clock.ahead
        twin.in_mirror = set(self.in_mirror)
        twin.worker = copy.copy(self.worker)
        twin.worker.world, twin.worker.calls, twin.worker.fetched = twin, [], []
        twin.worker.inspected = set(self.worker.inspected)
        twin.rehearsals = copy.copy(self.rehearsals)
        twin.rehearsals.world, twin.rehearsals.performed = twin, []
        twin.services = copy.copy(self.services)
        twin.services.world, twin.services.units = twin, dict(self.services.units)
        return twin

    def roll_back(self, release: str = "") -> Outcome:
        """Roll back by hand; without a release, to the previous one."""
        return one_run(self.app, wait=False, back_to=release)

    def deploy(self, number: int) -> Outcome:
        """Do one run with a new commit upstream."""
        self.upstream = commit(number)
        return self.run()

    def at_path(self) -> str:
        """Return the commit that a service finds at `path`."""
        file = Path(self.settings.path, "VERSION")
        return file.read_text() if file.exists() else self.current_commit()

    def current_commit(self) -> str:
        """Return the commit that a service started now would load."""
        file = Path(self.paths.current, "VERSION")
        return file.read_text() if file.exists() else ""

    def previous_commit(self) -> str:
        """Return the commit of the previous release."""
        file = Path(self.paths.previous, "VERSION")
        return file.read_text() if file.exists() else ""

    def release_of(self, number: int) -> str:
        """Return the newest release of version `number`; empty if there is none."""
        known = [item.id for item in self.records.releases() if item.commit == commit(number)]
        return known[-1] if known else ""

    def releases_on_disk(self) -> set[str]:
        """Return the names of the release directories."""
        return set(os.listdir(self.paths.releases))

    def known_releases(self) -> set[str]:
        """Return the names of the releases in the records."""
        return {release.id for release in self.records.releases()}

    def revive(self) -> None:
        """Begin a new process after one was killed: open the state again, kill nothing."""
        self.dead, self.die_at = False, 0
        self.records.close()
        self.records = FragileRecords(self.paths.state, self.effect)
        # Opening the state is not counted.
        self.effects = 0
        self.effect_names.clear()

    def assert_whole(self) -> None:
        """Check what must be true after every run, whatever happened before."""
        assert self.records.unfinished() is None
        current, previous = linked_release(self.paths.current), linked_release(self.paths.previous)
        for release in filter(None, (current, previous)):
            assert release in self.known_releases()
            assert os.path.exists(f"{self.paths.release(release)}/.venv/bin/python")
        assert current != previous or not current
        assert self.releases_on_disk() <= self.known_releases(), "a release without a record"
        for release in self.known_releases():
            place = self.paths.release(release)
            if os.path.exists(f"{place}/.venv/bin/python"):
                assert os.path.exists(f"{place}/VERSION"), "half a release looks complete"
        assert os.readlink(self.settings.path) == self.paths.current
        for name, running in self.services.runs.items():
            if self.services.units[name].active == "active":
                assert running == self.current_commit(), f"{name} runs another commit"

    def close(self) -> None:
        """Close the state."""
        self.records.close()


def settings(root: Path, **changes: Any) -> Settings:
    """Return settings with `changes` by key; dots are written as two underscores."""
    values: dict[str, Any] = {
        "path": f"{root}/srv/app",
        "services": list(SERVICES),
        "upstream.url": UPSTREAM,
        "health.soak": "2s",
        "health.start_timeout": "5s",
    }
    values |= {key.replace("__", "."): value for key, value in changes.items()}
    merged = {
        setting.key: load.Value(values.get(setting.key, setting.default), "")
        for setting in SETTINGS
    }
    return load.build(APP, merged)
