"""The worker: does everything that handles upstream's files, as an unprivileged user.

A child of the run. It reads requests from its standard input, one JSON object per line, and
answers with JSON lines: {"output": …} while it works, then {"done": …} or {"failed": …}.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from git.exc import GitCommandError

from autoupdate.config.sections import Build
from autoupdate.host.limits import free_space, limited
from autoupdate.host.process import NotStartedError
from autoupdate.model.errors import (
    AutoupdateError,
    DamagedMirrorError,
    UnreachableError,
    UpdateFailedError,
    describe,
)
from autoupdate.model.paths import AppPaths
from autoupdate.model.signatures import Keys
from autoupdate.model.sizes import counted, in_words
from autoupdate.worker import commands
from autoupdate.worker.commands import answer, command, try_out
from autoupdate.worker.environment.environment import EnvironmentBuilder, prepared_from_json
from autoupdate.worker.environment.rehearsal import rehearse
from autoupdate.worker.orphans import end_descendants
from autoupdate.worker.packages import uv
from autoupdate.worker.packages.resolution import Resolution
from autoupdate.worker.packages.uv import Command
from autoupdate.worker.removal import remove_tree
from autoupdate.worker.repository import lfs, local_changes
from autoupdate.worker.repository.comparison import compare
from autoupdate.worker.repository.forecast import forecast
from autoupdate.worker.repository.inspection import full_name, inspect
from autoupdate.worker.repository.inspection import named as shortened
from autoupdate.worker.repository.mirror import Mirror, link_shared, named, said_by_git
from autoupdate.worker.signatures.verification import verify
from autoupdate.worker.writable import of_build

if TYPE_CHECKING:
    from autoupdate.worker.repository.old_checkout import OldCheckout


class Server:
    """The requests that a worker knows, by name."""

    def __init__(self, paths: AppPaths) -> None:
        self.paths = paths
        self.mirror = Mirror(paths.mirror, lambda line: answer({"progress": line}))

    def fetch(
        self, url: str, wanted: str, tags: list[str], access: dict[str, str], most: int, memory: int
    ) -> dict[str, Any]:
        """Fetch a ref or commit, and tags, into the mirror. The limits are in bytes."""
        self.mirror.clear_leftovers()
        try:
            with limited(file_size=most, memory=memory), changed_environment(access):
                return self.mirror.fetch(url, wanted, tuple(tags))._asdict()
        except MemoryError:
            raise UnreachableError(
                f"upstream {url} sends more than the memory limit of a fetch allows"
            ) from None
        except AutoupdateError:
            received = self.mirror.half_received()
            # An incomplete pack is useless, and may be large.
            self.mirror.clear_leftovers()
            if received >= most:
                raise UnreachableError(
                    f"upstream {url} sends more than guard.max_fetch, {in_words(most)}, for"
                    f" {named(wanted)}",
                    "if upstream is expected to have that much, raise guard.max_fetch",
                ) from None
            raise

    def verify(self, commit: str, on: str, tag: str, keys: dict[str, Any]) -> dict[str, Any]:
        """Verify the signatures of a commit and of its tags."""
        openpgp = tuple((str(name), str(text)) for name, text in keys["openpgp"])
        known = Keys(openpgp, keys["allowed_signers"], keys["revoked_keys"])
        found = verify(self.paths.mirror, commit, on, tag, known)
        return {"signatures": [signature._asdict() for signature in found]}

    def relation(self, base: str, commit: str) -> dict[str, Any]:
        """Return how a commit relates to another one."""
        return {"relation": self.mirror.relation(base, commit)}

    def begin_mirror(self) -> dict[str, Any]:
        """Make a new mirror in place of a damaged one."""
        self.mirror.open()
        return {}

    def inspect(self, commit: str, deployed: str, asked: list[str]) -> dict[str, Any]:
        """Return what a commit contains, and how it differs from the deployed one."""
        try:
            found = inspect(self.paths.mirror, commit, deployed, asked)
            stored = lfs.find(self.paths.mirror, commit) if found.complete else {}
            return found._replace(
                pointers=shortened(list(stored)), pointers_number=len(stored),
                pointers_bytes=sum(pointer.size for pointer in stored.values()),
                has_git_lfs=bool(stored) and lfs.is_installed(),
            )._asdict()  # fmt: skip
        except UpdateFailedError as error:
            if self.mirror.is_sound():
                raise
            raise DamagedMirrorError(f"{self.paths.mirror}: {error.message}") from None

    def packaged(self, commit: str, folders: list[str], settings: dict[str, Any]) -> dict[str, Any]:
        """Return which top-level directories of a commit an installed package may contain."""
        from autoupdate.worker.repository.packaged import packaged

        build = self._builder(settings, command).build
        return {"folders": packaged(self.paths.mirror, commit, folders, build)}

    def resolve(self, name: str) -> dict[str, Any]:
        """Return the full hash of an abbreviated commit."""
        # Before the first fetch no commit is known.
        return {"commit": full_name(self.paths.mirror, name) if self.mirror.is_made() else ""}

    def compare(self, commit: str, since: str) -> dict[str, Any]:
        """Return what a commit changes compared with another one."""
        return compare(self.paths.mirror, commit, since)._asdict()

    def forecast(self, commit: str, deployed: str, settings: dict[str, Any]) -> dict[str, Any]:
        """Find out what the build of a commit would need."""
        free, builder = free_space(self.paths.releases), self._builder(settings, command)
        return forecast(self.paths.mirror, commit, deployed, builder, free)._asdict()

    def expect(
        self,
        name: str,
        commit: str,
        deployed: str,
        settings: dict[str, Any],
        access: dict[str, str],
    ) -> dict[str, Any]:
        """Find out which packages the build of a commit would change."""
        directory = self.paths.release(name)
        try:
            self.mirror.check_out(directory, commit)
            with self._build(directory, access) as build:
                builder = self._builder(settings, build.command)
                return builder.expect(directory, deployed)._asdict()
        finally:
            remove_tree(directory)
            self.mirror.forget(directory)

    def check_out(self, release: str, commit: str) -> dict[str, Any]:
        """Check out a commit as a release."""
        self.mirror.check_out(self.paths.release(release), commit)
        return {}

    def add_submodules(
        self,
        release: str,
        commit: str,
        url: str,
        paths: list[str],
        access: dict[str, str],
        most: int,
        memory: int,
        max_release: int,
        with_lfs: bool,
    ) -> dict[str, Any]:
        """Fetch submodules, and files from Git LFS, and write them into a release."""
        from autoupdate.worker.repository import submodules

        directory, mirror = self.paths.release(release), self.paths.mirror
        with limited(file_size=most, memory=memory), changed_environment(access):
            if with_lfs:
                lfs.add(mirror, url, directory, commit)
            submodules.add(mirror, url, directory, commit, paths, max_release, with_lfs=with_lfs)
        return {}

    def plan(self, release: str, settings: dict[str, Any]) -> dict[str, Any]:
        """Find out which environment a release needs, and how much space is free."""
        environment = self._builder(settings, command).plan(self.paths.release(release))
        return {**environment._asdict(), "free": free_space(self.paths.releases)}

    def prepare(
        self,
        release: str,
        deployed: str,
        anew: bool,
        newest: bool,
        shared: list[str],
        settings: dict[str, Any],
        access: dict[str, str],
    ) -> dict[str, Any]:
        """Link the shared paths, and decide which packages a release gets."""
        directory = self.paths.release(release)
        link_shared(directory, self.paths.shared, tuple(shared))
        local_changes.settle(directory)
        with self._build(directory, access) as build:
            builder = self._builder(settings, build.command)
            prepared = builder.prepare(directory, deployed, anew=anew, newest=newest)
        if not prepared.complete:
            answer({"output": estimate(prepared.resolution)})
        return prepared.to_json()

    def control(
        self,
        release: str,
        failed: str,
        said: str,
        settings: dict[str, Any],
        access: dict[str, str],
    ) -> dict[str, Any]:
        """Find out whether the host can still fetch what the deployed release is made of."""
        from autoupdate.worker.environment.control import control

        with (
            commands.scratch_directory() as scratch,
            commands.Build(lambda: (scratch,), access) as build,
        ):
            builder = self._builder(settings, build.command)
            deployed = self.paths.release(release) if release else ""
            built = self.paths.release(failed)
            return control(deployed, built, said, builder, build.command, scratch)._asdict()

    def install(
        self,
        release: str,
        prepared: dict[str, Any],
        settings: dict[str, Any],
        access: dict[str, str],
    ) -> dict[str, Any]:
        """Install the packages of an index in the environment of a release."""
        directory = self.paths.release(release)
        with self._build(directory, access) as build:
            builder = self._builder(settings, build.command)
            builder.install(directory, prepared_from_json(prepared))
        return {}

    def finish(
        self,
        release: str,
        prepared: dict[str, Any],
        shared: list[str],
        before: str,
        settings: dict[str, Any],
        access: dict[str, str],
    ) -> dict[str, Any]:
        """Install the packages of the repository itself; say whether they fit their environment.

        `before` is the release before (or "").
        """
        directory = self.paths.release(release)
        with self._build(directory, access) as build:
            builder = self._builder(settings, build.command)
            place = self.paths.release(before) if before else ""
            fits = builder.finish(directory, prepared_from_json(prepared), place)
        if fits:
            # A build may touch files, after which git looks at their content.
            local_changes.settle(directory)
            local_changes.note_built_files(directory, tuple(shared))
            # Everything must be on the disk before a link points to it (sync(1)).
            command(["sync", "--file-system", self.paths.releases], "/", {})
        return {"fits": fits}

    def _build(self, release: str, access: dict[str, str]) -> commands.Build:
        """Return what runs the commands of a build, with the lent credentials."""
        return commands.Build(lambda: of_build(self.paths, release), access)

    def _builder(self, settings: dict[str, Any], command: Command) -> EnvironmentBuilder:
        settings = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in settings.items()
        }
        return EnvironmentBuilder(self.paths.environments, Build(**settings), command)

    def rehearse(
        self,
        release: str,
        previous: str,
        commands: list[list[str]],
        smoke: bool,
        same_packages: bool,
        ignored: list[str],
        started: list[str],
    ) -> dict[str, Any]:
        """Test a release; then kill every process that is left."""
        former = self.paths.release(previous) if previous else ""
        try:
            warnings = rehearse(
                self.paths.release(release), former, commands, try_out,
                smoke=smoke, same_packages=same_packages, ignored=ignored, started=started,
            )  # fmt: skip
        finally:
            end_descendants()
        return {"warnings": warnings}

    def save_local_changes(self, release: str, shared: list[str], message: str) -> dict[str, Any]:
        """Save local changes of a release as a stash."""
        directory = self.paths.release(release)
        return {"paths": local_changes.save(self.mirror, directory, tuple(shared), message)}

    def examine_checkout(self, shared: list[str]) -> dict[str, Any]:
        """Examine the copy of an old checkout."""
        return self._old_checkout(shared).examine()._asdict()

    def take_over_checkout(self, shared: list[str], name: str, message: str) -> dict[str, Any]:
        """Copy into the mirror what only the old checkout has."""
        from autoupdate.worker.repository.old_checkout import take_over

        return take_over(self.mirror, self._old_checkout(shared), name, message)

    def make_checkout(
        self, release: str, path: str, url: str, branch: str, shared: list[str]
    ) -> dict[str, Any]:
        """Make a plain checkout of a release, to be moved to a path."""
        from autoupdate.worker.repository.plain_checkout import make

        source, target = self.paths.release(release), f"{self.paths.leaving}/tree"
        return make(self.mirror, source, target, path, url, branch, tuple(shared))

    def _old_checkout(self, shared: list[str]) -> "OldCheckout":
        from autoupdate.worker.repository.old_checkout import OldCheckout

        return OldCheckout(self.paths.adopting, tuple(shared))

    def surplus(self, environments: list[str]) -> dict[str, Any]:
        """Return what is next to these environments and not needed by any release."""
        kept = {*environments, uv.DIRECTORY, uv.MISSING}
        return {"names": sorted(set(os.listdir(self.paths.environments)) - kept)}

    def forget(self, release: str) -> dict[str, Any]:
        """Remove the mirror's record of a release that is gone."""
        self.mirror.forget(self.paths.release(release))
        return {}


def estimate(found: Resolution) -> str:
    """Return how many packages an environment gets, and how much of them is downloaded at most."""
    size = sum(pin.size for pin in found.pins)
    most = f", at most {in_words(size)} to download" if size else ""
    return f"the environment gets {counted(len(found.pins), 'package')} from an index{most}"


@contextmanager
def changed_environment(changes: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the processes that the block starts."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def serve(server: Server) -> None:
    """Answer requests until the run closes the pipe or ends."""
    try:
        for line in sys.stdin:
            respond(server, json.loads(line))
    except BrokenPipeError:
        # The run ended during a request. Discard what is still in the output buffer.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse(error: OSError) -> None:
    """Answer the first request with the reason why this worker cannot work at all."""
    if sys.stdin.readline():
        reason = f"its worker cannot begin: {describe(error)}"
        answer({"failed": reason, "advice": "autoupdatectl doctor", "kind": "HostFaultError"})


def respond(server: Server, request: dict[str, Any]) -> None:
    """Execute one request, and answer it."""
    try:
        done = getattr(server, request["do"])(**request["with"])
    except AutoupdateError as error:
        failed = {"failed": error.message, "advice": error.advice, "kind": type(error).__name__}
        which = error.server if isinstance(error, UnreachableError) else ""
        answer({**failed, "server": which})
    except GitCommandError as error:
        answer({"failed": said_by_git(error), "advice": "", "kind": "HostFaultError"})
    except NotStartedError as error:
        answer({"failed": str(error), "advice": "", "kind": "UpdateFailedError"})
    except OSError as error:
        answer({"failed": describe(error), "advice": "", "kind": "HostFaultError"})
    else:
        answer({"done": done})
