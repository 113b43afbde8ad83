"""A host in a directory: real Git, real pip, no systemd, no privileges needed."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoupdate.app import App, Outcome
from autoupdate.assemble import assemble, reach
from autoupdate.config.run_from import Unit
from autoupdate.config.sections import Build, Rehearse
from autoupdate.host.links import linked_release
from autoupdate.host.services import Service
from autoupdate.host.unit_times import Times
from autoupdate.model.events import Event
from autoupdate.model.paths import AppPaths, Paths
from autoupdate.model.steps import Result
from autoupdate.reports.plan import Outlook, plan
from autoupdate.update.run import one_run
from autoupdate.upstream.git_environment import git_environment
from autoupdate.worker.building import Built
from autoupdate.worker.client import WorkerProcess
from autoupdate.worker.packages.installer import cache_environment
from tests.unit import agreement
from tools.lib.hosts.commands import run
from tools.lib.hosts.git_server import GitServer
from tools.lib.hosts.upstream import Upstream

APP = "demo"
PARTS = ("host", "upstream", "served")


class NoServices:
    """A host without a service manager."""

    def look(self, names: Sequence[str]) -> list[Service]:
        """Return no services."""
        return []

    def programs(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return no programs: there are no services."""
        return ()

    def directives(self, names: Sequence[str]) -> list[Unit]:
        """Return no units: there are no services."""
        return []

    def restart(self, names: Sequence[str]) -> None:
        """Do nothing: there are no services."""
        assert not names

    def stop(self, names: Sequence[str]) -> None:
        """Do nothing: there are no services."""
        assert not names

    def last_words(self, names: Sequence[str], since: float) -> str:
        """Return nothing."""
        return ""

    def was_told_to_stop(self, service: Service) -> bool:
        """Do nothing: there are no services."""
        raise AssertionError(f"stop of {service.name}")

    def times(self, names: Sequence[str]) -> dict[str, Times]:
        """Return no times."""
        return {}

    def watch_later(self, app: str) -> bool:
        """Do nothing: there are no services."""
        raise AssertionError(f"watch of {app}")


class NoTransientUnits:
    """A host that starts no units."""

    def run_at(self, app: str, moment: float, spread: float) -> str:
        """Do nothing: no run is started later."""
        return "no service manager"

    def cancel(self, app: str) -> None:
        """Do nothing: no run is scheduled."""

    def end(self, app: str) -> None:
        """Do nothing: nothing is planned."""

    def run_now(self, app: str) -> None:
        """Do nothing: no run is started."""

    def send(self, app: str) -> None:
        """Do nothing: nothing is sent."""

    def clean(self, app: str) -> bool:
        """Do nothing: the run has to empty the trash itself."""
        return False


class QuickWorker(WorkerProcess):
    """Makes releases without an environment; for tests of the steps before the build."""

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
        """Make something that looks like an environment."""
        python = Path(self.paths.release(release), ".venv/bin/python")
        python.parent.mkdir(parents=True)
        python.symlink_to("/usr/bin/python3")
        return Built("0" * 24, 0, ())

    def rehearse(
        self,
        release: str,
        previous: str,
        settings: Rehearse,
        *,
        same_packages: bool,
        started: tuple[str, ...] = (),
    ) -> tuple[str, ...]:
        """Do nothing: there is no environment to test."""
        return ()


class KeptLog:
    """Keeps events, instead of sending them to the journal of this machine."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def write(self, event: Event) -> None:
        """Record one event."""
        self.events.append(event)

    def messages(self, kind: str) -> list[str]:
        """Return the messages of one kind."""
        return [event.message for event in self.events if event.kind.name == kind]


class Site:
    """A host's root, its upstream and the server between them, below one directory."""

    def __init__(self, directory: Path, server: GitServer, upstream: Upstream) -> None:
        self.directory = directory
        self.server = server
        self.upstream = upstream
        self.root = directory / "host"
        self.paths = Paths(str(self.root))
        self.name = APP
        self.path = self.root / "srv" / "app"
        self.log = KeptLog()
        self.builds = True
        """Whether releases get an environment, which takes some seconds."""
        self.foretells = True
        """Whether `plan` is asked before each run, and must agree with it."""
        self.output: list[str] = []
        """What git and pip printed."""

    @property
    def app_paths(self) -> AppPaths:
        """The paths of the app."""
        return self.paths.app(self.name)

    @classmethod
    def new(cls, directory: Path) -> "Site":
        """Make a host with nothing deployed, and an upstream with version 1."""
        served = directory / "served"
        served.mkdir()
        server = GitServer(served)
        server.start()
        site = cls(directory, server, Upstream(directory / "upstream", server))
        site.path.parent.mkdir(parents=True)
        # Outside of what is saved and restored: downloads are the same for every test.
        (directory / "cache").mkdir()
        Path(site.paths.cache).parent.mkdir(parents=True)
        Path(site.paths.cache).symlink_to(directory / "cache")
        site.configure()
        return site

    def configure(self, **changes: Any) -> None:
        """Write the app's settings; dots in keys are written as two underscores."""
        values: dict[str, Any] = {
            "path": str(self.path),
            "shared": ["state", "logs"],
            "upstream.url": self.upstream.url,
            "upstream.timeout": "30s",
            "build.installer": "pip",
            "health.soak": "0s",
        }
        values |= {key.replace("__", "."): value for key, value in changes.items()}
        file = Path(self.paths.etc, "apps", f"{self.name}.toml")
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in values.items()]
        file.write_text("".join(lines))

    def use_uv(self, program: Path, **changes: Any) -> None:
        """Build with uv, which takes a fraction of the time that pip takes."""
        shutil.copytree(program, Path(self.app_paths.environments) / program.name)
        self.configure(build__installer="uv", **changes)

    def app(self) -> App:
        """Assemble the app as on a host, without service manager and journal."""
        ready = assemble(self.paths, self.name, identity=None)
        environment = git_environment(self.paths.cache) | cache_environment(self.paths.cache)
        kind = WorkerProcess if self.builds else QuickWorker
        worker = kind(
            self.app_paths, None, environment, self.keep,
            access=lambda: reach(ready.settings.upstream, self.app_paths.run, None),
            most=ready.settings.guard.max_fetch,
        )  # fmt: skip
        return ready._replace(
            host=ready.host._replace(services=NoServices(), transient_units=NoTransientUnits()),
            worker=worker,
            log=self.log,
        )

    def keep(self, line: str, _: str) -> None:
        """Keep a line that a build printed."""
        self.output.append(line)

    def run(self, *, force: bool = False) -> Outcome:
        """Do one run."""
        app = self.app()
        try:
            foretold = self.foretell(app, force=force)
            outcome = one_run(app, wait=False, force=force)
            if foretold:
                agreement.check(foretold, outcome, app.records)
        finally:
            app.records.close()
        return outcome

    def foretell(self, app: App, *, force: bool) -> Outlook | None:
        """Return what `plan` says about the next run; nothing if `plan` does not apply."""
        interrupted = os.path.exists(app.paths.relocation) or app.records.unfinished()
        if not self.foretells or interrupted:
            return None
        try:
            return plan(app, force=force)
        finally:
            app.worker.close()

    def updates_to(self, commit: str, *, force: bool = False) -> bool:
        """Do one run; return whether it deployed a commit."""
        outcome = self.run(force=force)
        done = (outcome.result, outcome.commit) == (Result.UPDATED, commit)
        return done and run("git", "-C", self.release, "rev-parse", "HEAD").stdout == f"{commit}\n"

    @property
    def current(self) -> str:
        """The release that the services would run."""
        return linked_release(self.app_paths.current)

    @property
    def release(self) -> Path:
        """The directory of the current release."""
        return Path(self.app_paths.release(self.current))

    def releases(self) -> list[str]:
        """Return the names of the release directories."""
        return sorted(os.listdir(self.app_paths.releases))

    def version(self) -> int:
        """Return the version that a service started now would run."""
        program = "from ipfs_accelerate_py.version import VERSION; print(VERSION)"
        python = self.path / ".venv/bin/python3"
        return int(run(python, "-c", program, cwd=self.directory).stdout)

    def git(self, *arguments: str) -> str:
        """Run git in the mirror."""
        done = run("git", "-C", self.app_paths.mirror, *arguments)
        return done.stdout.rstrip("\n")

    def save(self) -> None:
        """Keep the site as it is now, for `restore`."""
        for part in PARTS:
            run("cp", "--archive", self.directory / part, self.directory / f"{part}.saved")

    def restore(self) -> "Site":
        """Return the saved site, at the same path: environments cannot be moved."""
        for part in PARTS:
            shutil.rmtree(self.directory / part)
            run("cp", "--archive", self.directory / f"{part}.saved", self.directory / part)
        self.server.start()
        self.server.forget()
        upstream = object.__new__(Upstream)
        vars(upstream).update(vars(self.upstream))
        return type(self)(self.directory, self.server, upstream)
