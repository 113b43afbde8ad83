"""build: the virtual environment of a release, in two layers.

What comes from an index is installed once for each set of packages, into `environments/KEY`, which
releases share (shared_layer.py). A release's own `.venv` is a copy of that by hard links
(linked_copy.py), in which the packages of the repository itself are then installed
(own_packages.py). So a commit that changes no dependency downloads and unpacks nothing, and no
release leads into another one. Runs in the worker, as the builds' user.
"""

import os
import shutil
from collections.abc import Mapping
from typing import Any, NamedTuple

from autoupdate.config.sections import Build
from autoupdate.model.changes import Expected
from autoupdate.model.errors import AutoupdateError
from autoupdate.worker.environment import compiled, memory, own_packages, shared_layer
from autoupdate.worker.environment.bytecode import compile_listed, imported_places
from autoupdate.worker.environment.files import adapt, remove, write_versions
from autoupdate.worker.environment.linked_copy import COMPLETE
from autoupdate.worker.environment.memory import Known
from autoupdate.worker.packages.resolution import Resolution, from_json
from autoupdate.worker.packages.resolve import BARE, Resolved, resolve
from autoupdate.worker.packages.tool import Tool
from autoupdate.worker.packages.uv import Command
from autoupdate.worker.packages.wanted import files_that_decide

# The directory in which the resolver works; no environment.
RESOLVING = "resolving"


class Environment(NamedTuple):
    """The environment of a release: key, interpreter, and whether it exists already.

    The key is empty if it is not known yet which packages the release gets. `asked` names what it
    asks for.
    """

    key: str
    interpreter: str
    reused: bool
    asked: str


class Prepared(NamedTuple):
    """What is known before anything is installed: the environment, and what it consists of."""

    key: str
    interpreter: str
    complete: bool
    former: str
    """Key of the environment to begin with; empty: none."""
    anew: bool
    """Whether the packages were resolved for this release, and not for an earlier one."""
    resolution: Resolution
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**self._asdict(), "resolution": self.resolution.to_json()}


def prepared_from_json(facts: Mapping[str, Any]) -> Prepared:
    """Read what `Prepared.to_json` wrote. Raises KeyError, TypeError, ValueError."""
    return Prepared(**{
        **facts, "resolution": from_json(facts["resolution"]), "notes": tuple(facts["notes"]),
    })  # fmt: skip


class EnvironmentBuilder:
    """Builds the `.venv` of releases from one app's settings."""

    def __init__(self, environments: str, build: Build, command: Command) -> None:
        self.environments = environments
        self.build = build
        self.tool = Tool(environments, build, command)

    def plan(self, release: str) -> Environment:
        """Return which environment a release needs, and whether it exists already."""
        interpreter = self.tool.interpreter()
        request = memory.request(interpreter, self.build)
        files = files_that_decide(self.build, release)
        asked = f"{request[:12]}{memory.digest(release, files)[:12]}"
        found = memory.find(self.environments, release, request)
        return Environment(found[0] if found else "", interpreter, bool(found), asked)

    def prepare(
        self, release: str, deployed: str = "", *, anew: bool = False, newest: bool = False
    ) -> Prepared:
        """Decide which packages a release gets; `deployed` is the key of the present environment.

        `anew`: what earlier releases got does not count. `newest`: versions that are installed now
        are not kept.
        Raises DependenciesFailedError, UpdateFailedError, HostFaultError, UnreachableError.
        """
        interpreter = self.tool.interpreter()
        request = memory.request(interpreter, self.build)
        found = memory.find(self.environments, release, request, deployed)
        # The repository may have something of that name.
        remove(f"{release}/.venv")
        if found and not anew:
            key, known = found
            return Prepared(key, interpreter, True, "", False, known.resolution, ())
        former, (resolution, notes) = self._resolve(release, interpreter, deployed, newest=newest)
        scratch = f"{self.environments}/{RESOLVING}"
        key = shared_layer.key(self.tool, release, interpreter, resolution)
        complete = is_complete(f"{self.environments}/{key}")
        if complete:
            shutil.rmtree(scratch, ignore_errors=True)
        else:
            shared_layer.begin(self.environments, key)
        return Prepared(key, interpreter, complete, former, True, resolution, notes)

    def expect(self, release: str, deployed: str) -> Expected:
        """Find out which packages a build would change; nothing is installed.

        Raises what `prepare` raises.
        """
        try:
            _, (resolution, _) = self._resolve(
                release, self.tool.interpreter(), deployed, newest=False
            )
        finally:
            shutil.rmtree(f"{self.environments}/{RESOLVING}", ignore_errors=True)
        present = shared_layer.versions(f"{self.environments}/{deployed}") if deployed else {}
        return shared_layer.expected(present, resolution.pins)

    def _resolve(
        self, release: str, interpreter: str, deployed: str, *, newest: bool
    ) -> tuple[str, Resolved]:
        """Resolve; return also the key of the environment to begin with, or ""."""
        present = f"{self.environments}/{deployed}" if deployed else ""
        contents = memory.read(present) if present and is_complete(present) else None
        former = deployed if contents and contents.interpreter == interpreter else ""
        newest = newest or self.build.upgrade == "newest"
        versions = {} if newest or not present else shared_layer.versions(present)
        scratch = f"{self.environments}/{RESOLVING}"
        shutil.rmtree(scratch, ignore_errors=True)
        os.makedirs(scratch)
        try:
            place = f"{self.environments}/{former}" if former else ""
            return former, resolve(self.tool, release, scratch, interpreter, versions, place)
        except AutoupdateError:
            shutil.rmtree(scratch, ignore_errors=True)
            raise

    def install(self, release: str, prepared: Prepared) -> None:
        """Install the shared packages, into a copy of the former environment if there is one.

        Raises DependenciesFailedError, HostFaultError, UnreachableError.
        """
        template, scratch = (f"{self.environments}/{name}" for name in (prepared.key, RESOLVING))
        former = f"{self.environments}/{prepared.former}" if prepared.former else ""
        if not former and os.path.isdir(f"{scratch}/{BARE}"):
            # It has nothing but the newest pip: what each environment begins with.
            os.rename(f"{scratch}/{BARE}", template)
            former = f"{scratch}/{BARE}"
        shutil.rmtree(scratch, ignore_errors=True)
        shared_layer.install(
            self.tool, release, template, prepared.interpreter, prepared.resolution, former
        )
        shared_layer.finish(template, prepared.interpreter, self._known(release, prepared, None))

    def finish(self, release: str, prepared: Prepared, before: str = "") -> bool:
        """Install the repository's own packages in the `.venv` of a release.

        `before` is the directory of the release before, whose compiled modules are taken over.
        Returns whether the environment is right; it is not if these packages ask for something else
        than when it was resolved. Raises UpdateFailedError, HostFaultError, UnreachableError.
        """
        template, own = f"{self.environments}/{prepared.key}", prepared.resolution.own
        adapt(f"{release}/.venv", template)
        own_packages.install(self.tool, release, template, own)
        requires = own_packages.requires(release, own)
        if not prepared.anew:
            request = memory.request(prepared.interpreter, self.build)
            former = memory.matching(template, release, request)
            if former is None or former.requires != requires:
                return False
        known = self._known(release, prepared, requires)
        memory.remember(template, prepared.interpreter, known)
        write_versions(f"{release}/.venv")
        places = imported_places(release, own_packages.facts(release, own))
        left = compiled.take_over(places, release, before, prepared.interpreter)
        compile_listed(self.tool.command, release, left)
        os.chmod(f"{release}/.venv", 0o755)  # noqa: S103 - services run from it
        return True

    def _known(
        self, release: str, prepared: Prepared, requires: dict[str, list[str]] | None
    ) -> Known:
        own = prepared.resolution.own
        files = memory.with_own(files_that_decide(self.build, release), own)
        inputs = memory.digest(release, files)
        request = memory.request(prepared.interpreter, self.build)
        return Known(request, files, inputs, prepared.resolution, requires)


def is_complete(environment: str) -> bool:
    """Return whether all dependencies were installed in an environment."""
    return os.path.exists(f"{environment}/{COMPLETE}")
