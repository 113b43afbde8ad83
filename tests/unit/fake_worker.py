"""A fake worker: its releases are plain directories with a version in them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from autoupdate.config.sections import Build, Rehearse, Upstream
from autoupdate.model.changes import Changed, Changes, Expected, Forecast, Logged
from autoupdate.model.checkout import Checkout, TakenOver
from autoupdate.model.control import Control
from autoupdate.model.errors import AutoupdateError, DamagedMirrorError
from autoupdate.model.findings import Findings
from autoupdate.model.signatures import Keys, Signature, State
from autoupdate.worker.building import Built, Plan
from autoupdate.worker.client import Fetched
from autoupdate.worker.removal import Remaining

if TYPE_CHECKING:
    from tests.unit.world import World

from tests.unit.effects import FIRST_MOMENT, HARMLESS, RELEASE_SIZE, UPSTREAM, commit

# The key of an environment.
KEY = "e" * 24


class FakeWorker:
    """Makes releases as plain directories with a version in them."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.paths = world.paths
        self.findings = HARMLESS
        self.loose_folders: frozenset[str] = frozenset()
        """Top-level directories that no installed package contains."""
        self.inspected: set[str] = set()
        self.oddities: tuple[str, ...] = ()
        """The warnings of a rehearsal."""
        self.watched: Callable[[str], None] = lambda _: None
        self.local_changes: tuple[str, ...] = ()
        self.faults: dict[str, AutoupdateError] = {}
        self.damage = 0
        """After how many uses the mirror is damaged, until it is renewed; 0: never."""
        self.checkout = Checkout(commit(1), "main", (UPSTREAM,), 0, (), 0, (), 0, (), 0)
        self.taken_over = TakenOver(commit(1), 0, saved=False)
        self.closed = 0
        self.started: tuple[str, ...] = ()
        """The programs of services that the last rehearsal was told of."""
        self.stuck: tuple[Remaining, ...] = ()
        """What cannot be removed of any release or environment."""
        self.key = KEY
        self.free = 10**12
        self.environments: set[str] = set()
        self.fetched: list[tuple[str, tuple[str, ...]]] = []
        """What was fetched: the ref, and other tags."""
        self.verified: list[tuple[str, str, str]] = []
        """The commits whose signatures were verified, `trust.on`, and their tags."""
        self.signatures: tuple[Signature, ...] = (Signature("commit", State.NONE),)
        self.relations: dict[tuple[str, str], str] = {}
        self.calls: list[str] = []
        self.found_by_control = Control(("thing==1",))
        self.controlled: list[tuple[str, str]] = []

    def fetch(self, url: str, wanted: str, timeout: float, tags: tuple[str, ...] = ()) -> Fetched:
        """Return the commit that the branch points to now."""
        self._begin("fetch")
        self._use_mirror()
        self.fetched.append((wanted, tags))
        commit = wanted if len(wanted) == 40 else self.world.upstream_now or self.world.upstream
        self.world.in_mirror.add(commit)
        return Fetched(commit, "subject")

    def verify(self, commit: str, on: str, tag: str, keys: Keys) -> tuple[Signature, ...]:
        """Return the signatures."""
        self._begin("verify")
        self._use_mirror()
        self.verified.append((commit, on, tag))
        return self.signatures

    def compare(self, commit: str, since: str) -> Changes:
        """Return what a commit changes."""
        self._begin("compare")
        logged = Logged(commit, FIRST_MOMENT - 86400, "Ada", "Serve faster")
        return Changes(bool(since), 3, (logged,), 1, (Changed("M", "README"),))

    def forecast(self, commit: str, deployed: str, build: Build) -> Forecast:
        """Return what the build of a commit would need."""
        return Forecast(*self.plan("", build), (), (), ())

    def expect(self, commit: str, deployed: str, build: Build) -> Expected:
        """Return which packages the build of a commit would change."""
        self._begin("expect")
        return Expected({}, {}, {}, 0)

    def relation(self, base: str, commit: str) -> str:
        """Return how commits are related; each version descends from the lower ones."""
        self._begin("relation")
        return self.relations.get((base, commit), "descends" if commit > base else "ancestor")

    def renew_mirror(self) -> None:
        """Make a new mirror."""
        self._begin("renew_mirror")
        self.damage = 0

    def inspect(self, commit: str, deployed: str, asked: tuple[str, ...]) -> Findings:
        """Return what a commit contains; only the first call for a commit is an effect."""
        if commit not in self.inspected:
            self._begin("inspect")
            self._use_mirror()
            self.inspected.add(commit)
        return self.findings

    def packaged(self, commit: str, folders: tuple[str, ...], build: Build) -> frozenset[str]:
        """Return which folders an installed package may contain."""
        self._begin("packaged")
        return frozenset(folders) - self.loose_folders

    def resolve(self, name: str) -> str:
        """Return all digits of a commit in the mirror."""
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
        """Fetch submodules, if any are configured."""
        if upstream.submodules:
            self._begin("add_submodules")

    def plan(self, release: str, build: Build) -> Plan:
        """Return what the build needs."""
        self._begin("plan")
        interpreter = os.path.realpath(build.python) + " Python 3"
        return Plan(self.key, interpreter, self.key in self.environments, self.free, self.key)

    def build(
        self,
        release: str,
        shared: tuple[str, ...],
        build: Build,
        deployed: str = "",
        before: str = "",
        *,
        newest: bool = False,
    ) -> Built:
        """Make the environment of a release."""
        self._begin("build")
        directory = Path(self.paths.release(release), ".venv/bin")
        os.makedirs(directory)
        (directory / "python").symlink_to(os.path.realpath(build.python))
        if os.path.exists(self.paths.environments):
            os.makedirs(f"{self.paths.environments}/{self.key}", exist_ok=True)
        self.environments.add(self.key)
        return Built(self.key, RELEASE_SIZE, ())

    def control(self, release: str, failed: str, said: str, build: Build) -> Control:
        """Fetch again what the deployed release is made of."""
        self._begin("control")
        self.controlled.append((release, failed))
        return self.found_by_control

    def rehearse(
        self,
        release: str,
        previous: str,
        settings: Rehearse,
        *,
        same_packages: bool,
        started: tuple[str, ...] = (),
    ) -> tuple[str, ...]:
        """Test a release."""
        self._begin("rehearse")
        self.started = started
        return self.oddities

    def save_local_changes(
        self, release: str, shared: tuple[str, ...], message: str
    ) -> tuple[str, ...]:
        """Return the changed paths."""
        self._begin("save_local_changes")
        self._use_mirror()
        return self.local_changes

    def examine_checkout(self, shared: tuple[str, ...]) -> Checkout:
        """Return what is in the copy of an old checkout."""
        self._begin("examine_checkout")
        return self.checkout

    def take_over_checkout(self, shared: tuple[str, ...], name: str, message: str) -> TakenOver:
        """Save what only the old checkout has."""
        self._begin("take_over_checkout")
        return self.taken_over

    def make_checkout(
        self, release: str, path: str, url: str, branch: str, shared: tuple[str, ...]
    ) -> int:
        """Make a plain checkout of a release."""
        self._begin("make_checkout")
        target = Path(self.paths.leaving, "tree")
        (target / ".venv/bin").mkdir(parents=True)
        (target / ".venv/bin/python").write_text(path)
        source = Path(self.paths.release(release), "VERSION")
        (target / "VERSION").write_text(source.read_text())
        return 0

    def remove(self, release: str) -> tuple[Remaining, ...]:
        """Remove a release."""
        self._begin("remove")
        if self.stuck:
            return self.stuck
        if os.path.exists(self.paths.release(release)):
            shutil.rmtree(self.paths.release(release))
        return ()

    def tidy(self, environments: set[str]) -> dict[str, tuple[Remaining, ...]]:
        """Keep only these environments."""
        self._begin("tidy")
        self.environments = set(environments)
        left = {}
        if os.path.exists(self.paths.environments):
            for key in set(os.listdir(self.paths.environments)) - environments:
                if self.stuck:
                    left[key] = self.stuck
                else:
                    os.rmdir(f"{self.paths.environments}/{key}")
        return left

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
