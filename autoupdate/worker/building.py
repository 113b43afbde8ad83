"""The requests that make the environment of a release, part of client.py."""

import re
import time
from typing import Any, NamedTuple, Protocol

from autoupdate.config.sections import Build
from autoupdate.host.disk_usage import own_bytes
from autoupdate.model.changes import Expected, read_expected
from autoupdate.model.errors import UpdateFailedError
from autoupdate.worker.environment.linked_copy import provide
from autoupdate.worker.link import WorkerLink

# The key of an environment (environment.py).
KEY = re.compile(r"[0-9a-f]{24}")
# The directory of a commit that is only looked at; a run removes it if that was interrupted.
PLANNED = "planned"


class Plan(NamedTuple):
    """What a build needs: its environment, by key; `reused`: it exists already. `free`: bytes.

    The key is empty if it must be found out first which packages that are. `asked` names what the
    release asks for, whatever it gets.
    """

    environment: str
    interpreter: str
    reused: bool
    free: int
    asked: str


class Built(NamedTuple):
    """A finished environment: its key, the release's bytes on the disk, and what is to be told."""

    environment: str
    bytes: int
    notes: tuple[str, ...]


class Builds(Protocol):
    """What makes environments, as an update uses it."""

    def plan(self, release: str, build: Build) -> Plan:
        """Find out what the build of a release needs. Raises UpdateFailedError."""

    def expect(self, commit: str, deployed: str, build: Build) -> Expected:
        """Find out which packages a build would change in the environment `deployed` (or "").

        The commit is checked out for that, and its requirements are resolved.
        Raises DependenciesFailedError, UpdateFailedError, HostFaultError, UnreachableError.
        """

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
        """Build the environment of a release.

        Packages keep the versions that they have in the environment `deployed`, as far as these
        fit, unless `newest` is wanted. `before` is the release before.
        Raises DependenciesFailedError, UpdateFailedError, HostFaultError, UnreachableError.
        """


class BuildLink(WorkerLink):
    """A worker that makes environments."""

    def plan(self, release: str, build: Build) -> Plan:
        """Find out what the build of a release needs. Raises UpdateFailedError."""
        request = {"release": release, "settings": build._asdict()}
        done = self.ask("plan", request, 60, "plan of the build")
        free = done.get("free")
        return Plan(
            str(done.get("key")),
            str(done.get("interpreter")),
            bool(done.get("reused")),
            free if isinstance(free, int) else 0,
            str(done.get("asked")),
        )

    def expect(self, commit: str, deployed: str, build: Build) -> Expected:
        """Find out which packages a build would change in the environment `deployed` (or "").

        The commit is checked out for that, and its requirements are resolved.
        Raises DependenciesFailedError, UpdateFailedError, HostFaultError, UnreachableError.
        """
        request: dict[str, object] = {
            "name": PLANNED, "commit": commit, "deployed": deployed,
            "settings": build._asdict(),
        }  # fmt: skip
        with self.lending(build) as access:
            request["access"] = access
            return read_expected(self.ask("expect", request, build.timeout, "search for packages"))

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
        """Build the environment of a release.

        Packages keep the versions that they have in the environment `deployed`, as far as these
        fit, unless `newest` is wanted. `before` is the release before.
        Raises DependenciesFailedError, UpdateFailedError, HostFaultError, UnreachableError.
        """
        begun = time.monotonic()

        def ask(what: str, **more: object) -> dict[str, Any]:
            request = {"release": release, "settings": build._asdict(), **more}
            with self.lending(build) as access:
                request["access"] = access
                return self.ask(what, request, build.timeout, "build", UpdateFailedError, begun)

        # If the repository's own packages turn out to need something else, it is found out anew.
        for anew in (newest, True):
            prepared = ask("prepare", deployed=deployed, anew=anew, newest=newest, shared=shared)
            key, former = prepared.get("key"), prepared.get("former")
            if not isinstance(key, str) or not KEY.fullmatch(key):
                raise UpdateFailedError(f"the worker's answer has no environment: {key!r}")
            environment = f"{self.paths.environments}/{key}"
            if not prepared.get("complete"):
                if isinstance(former, str) and KEY.fullmatch(former):
                    source = f"{self.paths.environments}/{former}"
                    provide(source, self.paths.linking, environment, self.identity)
                ask("install", prepared=prepared)
            place = f"{self.paths.release(release)}/.venv"
            provide(environment, self.paths.linking, place, self.identity)
            if ask("finish", prepared=prepared, shared=shared, before=before).get("fits"):
                break
        else:
            raise UpdateFailedError(
                "the requirements of the repository's own packages change with each build"
            )
        notes = tuple(str(note) for note in prepared.get("notes", ()))
        # The sizes of the files are added up, as others may use up free space meanwhile.
        return Built(key, own_bytes(self.paths.release(release)), notes)
