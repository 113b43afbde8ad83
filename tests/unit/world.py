"""An app whose every effect is made up, in a directory of the test: upstream, builds, services.

Every effect is a place where the process can be killed: World.die_at counts them.
"""

import calendar
import copy
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from autoupdate import config, runtime, session
from autoupdate.app import App, Clock, Outcome
from autoupdate.changes import Changed, Changes, Forecast, Logged
from autoupdate.checkout import Checkout, TakenOver
from autoupdate.database import StateError
from autoupdate.errors import AutoupdateError, DamagedMirrorError
from autoupdate.events import Event
from autoupdate.findings import Findings
from autoupdate.host_changes import HostChanges, undo
from autoupdate.in_use import Process
from autoupdate.paths import AppPaths, Paths
from autoupdate.plan import Outlook, plan
from autoupdate.publish import linked_release, place
from autoupdate.relocation import Journal
from autoupdate.services import Service
from autoupdate.settings import SETTINGS, Build, Probe, Rehearse, Settings, Upstream
from autoupdate.signed import Keys, Signature, State
from autoupdate.store import Store
from autoupdate.track import Found, Tag
from autoupdate.workshop import Fetched, Plan
from tests.unit import agreement

APP = "ipfs-accelerate"
UPSTREAM = "https://upstream.example/app.git"
SERVICES = ("web.service", "api.service", "worker.service")
FIRST_MOMENT = calendar.timegm((2099, 1, 1, 0, 0, 0))
RELEASE_SIZE = 1000
HARMLESS = Findings(
    committed_at=FIRST_MOMENT - 86400, files=100, bytes=409600, largest=4000,
    largest_path="README", before=100, deleted=0, modified=1, misleading=(), outside=(),
    submodules=(), present=(), complete=True,
)  # fmt: skip
"""What the worker finds in a commit that changes one file."""


def commit(number: int) -> str:
    """Return the name of the commit that is version `number`."""
    return f"{number:040x}"


class Killed(BaseException):
    """The process died here: nothing after it takes effect, not even a `finally`."""


class FakeClock(Clock):
    """A clock that stands still until somebody sleeps."""

    def __init__(self, effect: Callable[[str], None]) -> None:
        self.effect = effect
        self.seconds = 0.0
        self.ahead = 0.0
        """By how much somebody set the time of day."""
        self.at_time: list[tuple[float, Callable[[], None]]] = []

    def monotonic(self) -> float:
        """Return the seconds slept so far."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass, and with it what was planned."""
        self.seconds += seconds
        due = [action for moment, action in self.at_time if moment <= self.seconds]
        self.at_time = [entry for entry in self.at_time if entry[0] > self.seconds]
        for action in due:
            action()

    def now(self) -> str:
        """Return a time of day that is another one each time."""
        self.effect("clock")
        self.seconds += 1
        moment = FIRST_MOMENT + int(self.seconds + self.ahead)
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


class FakeLog:
    """Keeps events."""

    def __init__(self, effect: Callable[[str], None]) -> None:
        self.effect = effect
        self.events: list[Event] = []

    def write(self, event: Event) -> None:
        """Record one event."""
        self.effect("log")
        self.events.append(event)

    @property
    def kinds(self) -> list[str]:
        """The names of all kinds of events so far."""
        return [event.kind.name for event in self.events]


class FakeWorkshop:
    """Makes releases as plain directories with a version in them."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.paths = world.paths
        self.findings = HARMLESS
        self.inspected: set[str] = set()
        self.oddities: tuple[str, ...] = ()
        """What a rehearsal warns of."""
        self.watched: Callable[[str], None] = lambda _: None
        self.local_changes: tuple[str, ...] = ()
        self.faults: dict[str, AutoupdateError] = {}
        self.damage = 0
        """After how many uses of the mirror it turns out to be damaged; it is until renewed."""
        self.checkout = Checkout(commit(1), "main", (UPSTREAM,), 0, (), 0, (), 0, (), 0)
        self.taken_over = TakenOver(commit(1), 0, saved=False)
        self.closed = 0
        self.key = "key"
        self.free = 10**12
        self.environments: set[str] = set()
        self.fetched: list[tuple[str, tuple[str, ...]]] = []
        """What was asked for: the ref, and the tags besides."""
        self.verified: list[tuple[str, str, str]] = []
        """The commits whose signatures were asked for, of what, and their tags."""
        self.signatures: tuple[Signature, ...] = (Signature("commit", State.NONE),)
        self.relations: dict[tuple[str, str], str] = {}
        self.calls: list[str] = []

    def fetch(self, url: str, wanted: str, timeout: float, tags: tuple[str, ...] = ()) -> Fetched:
        """Give what the branch points to now."""
        self._begin("fetch")
        self._use_mirror()
        self.fetched.append((wanted, tags))
        commit = wanted if len(wanted) == 40 else self.world.upstream_now or self.world.upstream
        self.world.in_mirror.add(commit)
        return Fetched(commit, "subject")

    def verify(self, commit: str, on: str, tag: str, keys: Keys) -> tuple[Signature, ...]:
        """Tell what signatures are worth."""
        self._begin("verify")
        self._use_mirror()
        self.verified.append((commit, on, tag))
        return self.signatures

    def compare(self, commit: str, since: str) -> Changes:
        """Tell what a commit brings."""
        self._begin("compare")
        logged = Logged(commit, FIRST_MOMENT - 86400, "Ada", "Serve faster")
        return Changes(bool(since), 3, (logged,), 1, (Changed("M", "README"),))

    def forecast(self, commit: str, deployed: str, build: Build) -> Forecast:
        """Tell what the build of a commit would need."""
        return Forecast(*self.plan("", build), (), (), ())

    def relation(self, base: str, commit: str) -> str:
        """Tell what a commit is to another; versions descend from those before them."""
        self._begin("relation")
        return self.relations.get((base, commit), "descends" if commit > base else "ancestor")

    def renew_mirror(self) -> None:
        """Begin a new mirror."""
        self._begin("renew_mirror")
        self.damage = 0

    def inspect(self, commit: str, deployed: str, asked: tuple[str, ...]) -> Findings:
        """Tell what a commit holds; the gates' later questions are answered from memory."""
        if commit not in self.inspected:
            self._begin("inspect")
            self._use_mirror()
            self.inspected.add(commit)
        return self.findings

    def resolve(self, name: str) -> str:
        """Complete the name of a commit that is in the mirror."""
        self._begin("resolve")
        known = {item for item in self.world.in_mirror if item.startswith(name)}
        return known.pop() if len(known) == 1 else ""

    def check_out(self, release: str, commit: str) -> None:
        """Make the work tree of a release."""
        self._begin("check_out")
        self._use_mirror()
        os.makedirs(self.paths.release(release))
        Path(self.paths.release(release), "VERSION").write_text(commit)

    def add_submodules(
        self, release: str, commit: str, upstream: Upstream, max_release: int
    ) -> None:
        """Fetch submodules, if there are any to be fetched."""
        if upstream.submodules:
            self._begin("add_submodules")

    def plan(self, release: str, build: Build) -> Plan:
        """Tell what the build needs."""
        self._begin("plan")
        interpreter = os.path.realpath(build.python) + " Python 3"
        return Plan(self.key, interpreter, self.key in self.environments, self.free)

    def build(self, release: str, shared: tuple[str, ...], build: Build) -> int:
        """Make the environment of a release."""
        self._begin("build")
        directory = Path(self.paths.release(release), ".venv/bin")
        os.makedirs(directory)
        (directory / "python").write_text("")
        self.environments.add(self.key)
        return RELEASE_SIZE

    def rehearse(self, release: str, previous: str, settings: Rehearse) -> tuple[str, ...]:
        """Try a release out."""
        self._begin("rehearse")
        return self.oddities

    def save_local_changes(
        self, release: str, shared: tuple[str, ...], message: str
    ) -> tuple[str, ...]:
        """Tell what was changed."""
        self._begin("save_local_changes")
        self._use_mirror()
        return self.local_changes

    def examine_checkout(self, shared: tuple[str, ...]) -> Checkout:
        """Tell what is in the copy of an old checkout."""
        self._begin("examine_checkout")
        return self.checkout

    def take_over_checkout(self, shared: tuple[str, ...], name: str, message: str) -> TakenOver:
        """Keep what only the old checkout has."""
        self._begin("take_over_checkout")
        return self.taken_over

    def make_checkout(
        self, release: str, path: str, url: str, branch: str, shared: tuple[str, ...]
    ) -> int:
        """Make a plain directory of a release."""
        self._begin("make_checkout")
        target = Path(self.paths.leaving, "tree")
        (target / ".venv/bin").mkdir(parents=True)
        (target / ".venv/bin/python").write_text(path)
        source = Path(self.paths.release(release), "VERSION")
        (target / "VERSION").write_text(source.read_text())
        return 0

    def remove(self, release: str) -> None:
        """Remove a release."""
        self._begin("remove")
        if os.path.exists(self.paths.release(release)):
            shutil.rmtree(self.paths.release(release))

    def tidy(self, environments: set[str]) -> None:
        """Keep only these environments."""
        self._begin("tidy")
        self.environments = set(environments)

    def close(self) -> None:
        """End the worker."""
        self.world.effect("close")
        self.closed += 1

    def _use_mirror(self) -> None:
        if self.damage:
            self.damage -= 1
            if not self.damage:
                self.damage = 1
                raise DamagedMirrorError("repo.git: loose object is corrupt")

    def _begin(self, name: str) -> None:
        self.world.effect(name)
        self.calls.append(name)
        if name in self.faults:
            raise self.faults[name]


class FakeServices:
    """Services that run whatever `current` leads to when they are restarted."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.units: dict[str, Service] = {}
        self.runs: dict[str, str] = {}
        """The commit that each running service loaded at its start."""
        self.restarts: list[tuple[str, ...]] = []
        self.watched_later: list[str] = []
        self.refuse_restart = ""
        self.bad: set[str] = set()
        """Commits with which services fail at their start."""
        self.good_paths: set[str] = set()
        """Where even these run, if it is a directory of its own and no release."""
        self.stopped_by_hand: set[str] = set()
        self.bad_paths: set[str] = set()
        """Directories in which nothing runs; a link to a release is none."""
        self._invocations = 0

    def add(self, name: str, active: str = "active", sub: str = "running") -> None:
        """Let the host have a service."""
        self.units[name] = Service(
            name, "loaded", active, sub, "success", 100, 0, self._invocation(), "app"
        )
        self.runs[name] = self.world.at_path()

    def change(self, name: str, **facts: Any) -> None:
        """Change what systemd says of a service."""
        self.units[name] = self.units[name]._replace(**facts)

    def start(self, name: str) -> None:
        """Let a service start, as it does when its gate passed."""
        self.runs[name] = self.world.at_path()
        own = {path for path in self.good_paths if not os.path.islink(path)}
        broken = {path for path in self.bad_paths if not os.path.islink(path)}
        fails = bool(broken) or (self.runs[name] in self.bad and not own)
        self.change(
            name, active="failed" if fails else "active", sub="failed" if fails else "running",
            result="exit-code" if fails else "success", restarts=0,
            main_pid=self.units[name].main_pid + 1, invocation=self._invocation(),
        )  # fmt: skip

    def look(self, names: Sequence[str]) -> list[Service]:
        """Return the services as they are now."""
        self.world.effect("look")
        missing = Service("", "not-found", "inactive", "dead", "success", 0, 0, "", "")
        if not self.units:
            return []
        return [self.units.get(name, missing._replace(name=name)) for name in names]

    def restart(self, names: Sequence[str]) -> None:
        """Restart services at once."""
        self.world.effect("restart")
        if not names:
            return
        self.restarts.append(tuple(names))
        if self.refuse_restart:
            raise AutoupdateError(self.refuse_restart)
        for name in names:
            self.start(name)

    def stop(self, names: Sequence[str]) -> None:
        """Stop services."""
        self.world.effect("stop")
        for name in names:
            self.change(name, active="inactive", sub="dead", main_pid=0)

    def was_told_to_stop(self, service: Service) -> bool:
        """Tell whether somebody stopped a service."""
        self.world.effect("was_told_to_stop")
        return service.name in self.stopped_by_hand

    def watch_later(self, app: str) -> None:
        """Note that the unit which watches later was asked for."""
        self.world.effect("watch_later")
        self.watched_later.append(app)

    def _invocation(self) -> str:
        self._invocations += 1
        return f"{self._invocations:032x}"


class FakeAgenda:
    """Remembers what systemd was asked to start later."""

    def __init__(self, effect: Callable[[str], None]) -> None:
        self.effect = effect
        self.planned: tuple[str, float, float] | None = None
        """The run that was planned last: app, moment, spread."""
        self.fault = ""
        self.sendings = 0
        self.beside: list[str] = []
        """The apps of the runs that were started beside something."""

    def run_at(self, app: str, moment: float, spread: float) -> str:
        """Note that a run was planned."""
        self.effect("run_at")
        self.planned = (app, moment, spread)
        return self.fault

    def run_now(self, app: str) -> None:
        """Note that a run was started which nobody waits for."""
        self.effect("run_now")
        self.beside.append(app)

    def send(self, app: str) -> None:
        """Note that the outbox is to be emptied."""
        self.effect("send")
        self.sendings += 1


class FakeHooks:
    """Hooks that are functions: each gets its environment, and returns why it failed."""

    def __init__(self, effect: Callable[[str], None]) -> None:
        self.effect = effect
        self.hooks: dict[str, dict[str, Callable[[Mapping[str, str]], str]]] = {}
        """By stage, then by path."""
        self.faults: dict[str, str] = {}
        """Why a hook may not run."""
        self.ran: list[tuple[str, str, str]] = []
        """Path, event and result of each hook that was run."""

    def add(
        self, stage: str, name: str, does: Callable[[Mapping[str, str]], str] = lambda _: ""
    ) -> None:
        """Let a stage have a hook."""
        self.hooks.setdefault(stage, {})[name] = does

    def find(self, stage: str) -> list[str]:
        """Return the hooks of a stage."""
        return sorted(self.hooks.get(stage, {}))

    def fault(self, hook: str) -> str:
        """Tell why a hook may not run."""
        return self.faults.get(hook, "")

    def run(
        self, hook: str, environment: Mapping[str, str], timeout: float
    ) -> tuple[str, list[str]]:
        """Run a hook."""
        self.effect("hook")
        stage = next(stage for stage, hooks in self.hooks.items() if hook in hooks)
        result = environment.get("AUTOUPDATE_RESULT", "")
        self.ran.append((hook, environment["AUTOUPDATE_EVENT"], result))
        return self.hooks[stage][hook](environment), [f"{hook} speaks"]


class FakeUnits:
    """Remembers which timers were switched, and how often unit files were read again."""

    def __init__(self, effect: Callable[[str], None]) -> None:
        self.effect = effect
        self.off: set[str] = set()
        self.reloads = 0

    def switch(self, timer: str, *, on: bool) -> None:
        """Switch a timer."""
        self.effect("switch")
        if on:
            self.off.discard(timer)
        else:
            self.off.add(timer)

    def reload(self) -> None:
        """Read unit files again."""
        self.effect("reload")
        self.reloads += 1


class FakeSnapshots:
    """Remembers for which transactions shared files were copied."""

    def __init__(self, effect: Callable[[str], None]) -> None:
        self.effect = effect
        self.taken: dict[int, tuple[str, ...]] = {}
        self.restored: list[int] = []

    def take(self, number: int, patterns: Sequence[str]) -> int:
        """Copy files."""
        self.effect("take")
        self.taken = {number: tuple(patterns)}
        return len(patterns)

    def restore(self, number: int) -> bool:
        """Put files back."""
        self.effect("restore")
        if number in self.taken:
            self.restored.append(number)
        return number in self.taken

    def drop(self, number: int) -> None:
        """Forget copies."""
        self.effect("drop")
        self.taken.pop(number, None)


class FragileStore(Store):
    """A real store, in which each write is a place to die, and nothing waits for a disk."""

    def __init__(self, path: str, effect: Callable[[str], None]) -> None:
        super().__init__(path)
        self.effect = effect
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute("PRAGMA journal_mode = MEMORY")

    def write(self, query: str, values: Sequence[Any] = ()) -> int:
        """Change something."""
        self.effect("store")
        return super().write(query, values)


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
        """The tag that leads to it, where the track chooses by tags."""
        self.upstream_now = ""
        """What the branch points to at the time of the fetch, if it moved on after the check."""
        self.in_mirror: set[str] = set()
        """The commits that were fetched."""
        self.check_fault: AutoupdateError | None = None
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
        self.workshop = FakeWorkshop(self)
        self.snapshots = FakeSnapshots(self.effect)
        self.agenda = FakeAgenda(self.effect)
        self.hooks = FakeHooks(self.effect)

        self.units = FakeUnits(self.effect)
        self.processes: list[Process] = []
        """Those that use the old directory."""
        self.seen_by_probe: Callable[[Probe], str] = lambda _: ""
        self.store = FragileStore(self.paths.state, self.effect)

    def effect(self, name: str) -> None:
        """Count an effect that is about to happen; die there if that was asked for."""
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
        """The app as the code under test gets it."""

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

        def host_changes() -> HostChanges:
            return HostChanges(
                self.all_paths, self.units, copy, put_back, lambda path: self.processes, None
            )

        def copy(source: str, target: str) -> None:
            self.effect("copy")
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, symlinks=True)

        def put_back(paths: Paths, app: AppPaths, journal: Journal) -> None:
            self.effect("put_back")
            undo(paths, journal)

        return App(
            settings=self.settings, paths=self.paths, store=self.store, check=self.check,
            workshop=self.workshop, services=self.services, agenda=self.agenda, hooks=self.hooks,
            keys=lambda: self.keys, provide_shared=provide_shared,
            hand_over_shared=hand_over_shared, snapshots=self.snapshots, place=place_link,
            probe=probe, clock=self.clock, log=self.log,
            host_changes=host_changes,
            leave_for_next=lambda app, outcome: self.effect("leave_for_next"),
        )  # fmt: skip

    def run(self, *, force: bool = False) -> Outcome:
        """Do one run, and see that `plan` foretold it."""
        foretold = self.foretell(force=force)
        outcome = session.run(self.app, wait=False, force=force)
        if foretold and self.is_sound():
            agreement.check(foretold, outcome, self.store)
        return outcome

    def foretell(self, *, force: bool = False) -> Outlook | None:
        """Return what `plan` says, or nothing for a run that it cannot foretell.

        It looks at a twin of this world, so that it leaves no trace in what tests count.
        """
        if not agreement.can_be_foretold(self):
            return None
        twin = self.twin()
        written = self.store._connection.total_changes
        trigger = "start" if runtime.requests(self.paths) else "manual"
        outlook = plan(twin.app, trigger=trigger, force=force)
        assert self.store._connection.total_changes == written, "plan wrote to the state"
        return outlook

    def is_sound(self) -> bool:
        """Tell whether the state can be read."""
        try:
            self.store.unfinished()
        except StateError:
            return False
        return True

    def twin(self) -> "World":
        """Return a world of the same state and files, whose effects are not counted in this one."""
        twin = copy.copy(self)
        twin.effects, twin.effect_names = 0, []
        twin.log, twin.agenda = FakeLog(twin.effect), FakeAgenda(twin.effect)
        twin.clock = FakeClock(twin.effect)
        twin.clock.seconds, twin.clock.ahead = self.clock.seconds, self.clock.ahead
        twin.in_mirror = set(self.in_mirror)
        twin.workshop = copy.copy(self.workshop)
        twin.workshop.world, twin.workshop.calls, twin.workshop.fetched = twin, [], []
        twin.workshop.inspected = set(self.workshop.inspected)
        twin.services = copy.copy(self.services)
        twin.services.world, twin.services.units = twin, dict(self.services.units)
        return twin

    def roll_back(self, release: str = "") -> Outcome:
        """Go back by an administrator's word; without a release to the previous one."""
        return session.run(self.app, wait=False, back_to=release)

    def deploy(self, number: int) -> Outcome:
        """Do one run with a new commit upstream."""
        self.upstream = commit(number)
        return self.run()

    def at_path(self) -> str:
        """Return the commit that a service finds where it looks for the app."""
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
        known = [item.id for item in self.store.releases() if item.commit == commit(number)]
        return known[-1] if known else ""

    def releases_on_disk(self) -> set[str]:
        """Return the names of the release directories."""
        return set(os.listdir(self.paths.releases))

    def known_releases(self) -> set[str]:
        """Return the names of the releases in the store."""
        return {release.id for release in self.store.releases()}

    def revive(self) -> None:
        """Begin a new process after one died: open the state anew, lift the spell."""
        self.dead, self.die_at, self.effects = False, 0, 0
        self.effect_names.clear()
        self.store.close()
        self.store = FragileStore(self.paths.state, self.effect)

    def assert_whole(self) -> None:
        """Check what must hold after every run, whatever happened before."""
        assert self.store.unfinished() is None
        current, previous = linked_release(self.paths.current), linked_release(self.paths.previous)
        for release in filter(None, (current, previous)):
            assert release in self.known_releases()
            assert os.path.exists(f"{self.paths.release(release)}/.venv/bin/python")
        assert current != previous or not current
        assert self.releases_on_disk() <= self.known_releases(), "a release without a record"
        assert os.readlink(self.settings.path) == self.paths.current
        for name, running in self.services.runs.items():
            if self.services.units[name].active == "active":
                assert running == self.current_commit(), f"{name} runs another commit"

    def close(self) -> None:
        """Close the state."""
        self.store.close()


def settings(root: Path, **changes: Any) -> Settings:
    """Return settings with `changes` by key, dots written as two underscores."""
    values: dict[str, Any] = {
        "path": f"{root}/srv/app",
        "services": list(SERVICES),
        "upstream.url": UPSTREAM,
        "health.soak": "2s",
        "health.start_timeout": "5s",
    }
    values |= {key.replace("__", "."): value for key, value in changes.items()}
    merged = {
        setting.key: config.Value(values.get(setting.key, setting.default), "")
        for setting in SETTINGS
    }
    return config.build(APP, merged)
