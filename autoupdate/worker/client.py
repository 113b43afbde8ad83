"""The requests that a run makes to the worker, and their answers as values."""

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple, Protocol

from autoupdate.config.sections import Build, Rehearse, Upstream
from autoupdate.host.process import Identity
from autoupdate.model.changes import Changes, Forecast, read_changes, read_forecast
from autoupdate.model.checkout import Checkout, TakenOver
from autoupdate.model.errors import (
    AutoupdateError,
    HostFaultError,
    UnreachableError,
    UpdateFailedError,
)
from autoupdate.model.findings import Findings
from autoupdate.model.findings import read as read_findings
from autoupdate.model.paths import AppPaths
from autoupdate.model.signatures import Keys, Signature, from_answer
from autoupdate.model.track import COMMIT
from autoupdate.upstream.git_environment import redact
from autoupdate.worker.building import BuildLink, Builds
from autoupdate.worker.control import ControlLink, Controls
from autoupdate.worker.exchange import Lend, exchange
from autoupdate.worker.removal import Remaining
from autoupdate.worker.trash import throw_away

# How many times as long as upstream.timeout a fetch from Git LFS may take.
LARGE_FETCH = 6


class Fetched(NamedTuple):
    """A commit that is now in the mirror."""

    commit: str
    subject: str


class Worker(Builds, Controls, Protocol):
    """The worker, as an update uses it."""

    watched: Callable[[str], None]
    """Called with lines of progress, for a terminal; they are not logged."""

    def fetch(self, url: str, wanted: str, timeout: float, tags: tuple[str, ...] = ()) -> Fetched:
        """Fetch a ref or commit, and tags. Raises UnreachableError, DamagedMirrorError."""

    def verify(self, commit: str, on: str, tag: str, keys: Keys) -> tuple[Signature, ...]:
        """Verify the signatures of a commit and its tags. Raises DamagedMirrorError."""

    def relation(self, base: str, commit: str) -> str:
        """Return how a commit relates to `base`: descends, ancestor, diverged, or unknown."""

    def renew_mirror(self) -> None:
        """Put a damaged mirror aside, and make a new, empty one."""

    def inspect(self, commit: str, deployed: str, asked: tuple[str, ...]) -> Findings:
        """Compare a commit of the mirror with the deployed one (empty: none).

        `asked` are paths; the answer says which of them the commit has. Raises UpdateFailedError.
        """

    def packaged(self, commit: str, folders: tuple[str, ...], build: Build) -> frozenset[str]:
        """Return those of some top-level directories that an installed package may contain."""

    def resolve(self, name: str) -> str:
        """Return the full hash of a commit of the mirror, or nothing. Raises UpdateFailedError."""

    def compare(self, commit: str, since: str) -> Changes:
        """Return what a commit changes compared with `since`. Raises UpdateFailedError."""

    def forecast(self, commit: str, deployed: str, build: Build) -> Forecast:
        """Find out what the build of a commit would need. Raises UpdateFailedError."""

    def check_out(self, release: str, commit: str) -> None:
        """Check out a commit as a release. Raises UpdateFailedError, DamagedMirrorError."""

    def add_submodules(
        self, release: str, commit: str, upstream: Upstream, max_release: int
    ) -> None:
        """Fetch submodules and files in Git LFS, as `upstream` says, and write them into a release.

        Each submodule may take at most `max_release` bytes of disk space.
        Raises UnreachableError, UpdateFailedError.
        """

    def rehearse(
        self,
        release: str,
        previous: str,
        settings: Rehearse,
        *,
        same_packages: bool,
        started: tuple[str, ...] = (),
    ) -> tuple[str, ...]:
        """Test a release; return warnings. Raises UpdateFailedError.

        `same_packages`: the packages are those of `previous`, so only the app's own requirements
        are checked. `started`: the programs that the units of the services start.
        """

    def save_local_changes(
        self, release: str, shared: tuple[str, ...], message: str
    ) -> tuple[str, ...]:
        """Save local changes of a release as a stash; return the changed paths."""

    def examine_checkout(self, shared: tuple[str, ...]) -> Checkout:
        """Examine the copy of an old checkout. Raises UpdateFailedError."""

    def take_over_checkout(self, shared: tuple[str, ...], name: str, message: str) -> TakenOver:
        """Copy into the mirror what only the old checkout has. Raises HostFaultError."""

    def make_checkout(
        self, release: str, path: str, url: str, branch: str, shared: tuple[str, ...]
    ) -> int:
        """Make a plain checkout of a release, with an environment that works at `path`.

        Returns the number of stashes in it. Raises UpdateFailedError, HostFaultError.
        """

    def remove(self, release: str) -> tuple[Remaining, ...]:
        """Move a release into the trash; return why that failed."""

    def tidy(self, environments: set[str]) -> dict[str, tuple[Remaining, ...]]:
        """Move all environments except these into the trash; return what failed, by key."""

    def close(self) -> None:
        """End the worker and every process that it started."""


class WorkerProcess(BuildLink, ControlLink):
    """The worker as a process of the builds' user."""

    def __init__(
        self,
        paths: AppPaths,
        identity: Identity | None,
        environment: Mapping[str, str],
        output: Callable[[str, str], None],
        unconfined: Callable[[], None] = lambda: None,
        *,
        access: Lend | None = None,
        most: int = 1 << 40,
    ) -> None:
        """Prepare a worker; its process starts with the first request.

        `unconfined` is called when it starts on a kernel that cannot confine it. `access` lends the
        credentials for a fetch. `most` is the size limit of one fetch, in bytes.
        """
        super().__init__(paths, identity, environment, output, unconfined)
        self.access = access
        self.most = most
        # Several gates ask the same question, and a commit never changes.
        self._inspected: dict[tuple[str, str, tuple[str, ...]], Findings] = {}

    def fetch(self, url: str, wanted: str, timeout: float, tags: tuple[str, ...] = ()) -> Fetched:
        """Fetch a ref or commit, and tags. Raises UnreachableError, DamagedMirrorError."""
        with exchange(self.access, url, timeout, self.most) as request:
            request |= {"wanted": wanted, "tags": tags}
            what = f"fetch from {redact(url)}"
            done = self.ask("fetch", request, timeout, what, UnreachableError)
        commit = done.get("commit")
        if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
            raise UpdateFailedError(f"the worker's answer has no commit: {commit!r}")
        return Fetched(commit, str(done.get("subject", "")))

    def verify(self, commit: str, on: str, tag: str, keys: Keys) -> tuple[Signature, ...]:
        """Verify the signatures of a commit and its tags. Raises DamagedMirrorError."""
        request = {"commit": commit, "on": on, "tag": tag, "keys": keys._asdict()}
        done = self.ask("verify", request, 300, "check of signatures")
        return from_answer(done.get("signatures"))

    def relation(self, base: str, commit: str) -> str:
        """Return how a commit relates to `base`: descends, ancestor, diverged, or unknown."""
        done = self.ask("relation", {"base": base, "commit": commit}, 300, "comparison of history")
        return str(done.get("relation"))

    def renew_mirror(self) -> None:
        """Put a damaged mirror aside, and make a new, empty one."""
        self.close()
        # Done here: the worker cannot write to the directory above, which is root's.
        mirror, aside = self.paths.mirror, f"{self.paths.mirror}.damaged"
        try:
            shutil.rmtree(aside, ignore_errors=True)
            os.rename(mirror, aside)
            os.mkdir(mirror, 0o755)
            if self.identity:
                os.chown(mirror, self.identity.uid, self.identity.gid)
        except OSError as error:
            raise HostFaultError(f"{mirror} cannot be replaced: {error.strerror}") from None
        self.ask("begin_mirror", {}, 600, "replacement of the mirror")

    def inspect(self, commit: str, deployed: str, asked: tuple[str, ...]) -> Findings:
        """Compare a commit of the mirror with the deployed one (empty: none).

        `asked` are paths; the answer says which of them the commit has. Raises UpdateFailedError.
        """
        request = {"commit": commit, "deployed": deployed, "asked": asked}
        key = (commit, deployed, asked)
        if key not in self._inspected:
            self._inspected[key] = read_findings(self.ask("inspect", request, 300, "inspection"))
        return self._inspected[key]

    def packaged(self, commit: str, folders: tuple[str, ...], build: Build) -> frozenset[str]:
        """Return those of some top-level directories that an installed package may contain."""
        request = {"commit": commit, "folders": folders, "settings": build._asdict()}
        return frozenset(self.ask("packaged", request, 60, "search for packages")["folders"])

    def resolve(self, name: str) -> str:
        """Return the full hash of a commit of the mirror, or nothing. Raises UpdateFailedError."""
        found = str(self.ask("resolve", {"name": name}, 60, "search for a commit").get("commit"))
        return found if COMMIT.fullmatch(found) and found.startswith(name) else ""

    def compare(self, commit: str, since: str) -> Changes:
        """Return what a commit changes compared with `since`. Raises UpdateFailedError."""
        request = {"commit": commit, "since": since}
        return read_changes(self.ask("compare", request, 300, "comparison"))

    def forecast(self, commit: str, deployed: str, build: Build) -> Forecast:
        """Find out what the build of a commit would need. Raises UpdateFailedError."""
        request = {"commit": commit, "deployed": deployed, "settings": build._asdict()}
        return read_forecast(self.ask("forecast", request, 60, "forecast"))

    def check_out(self, release: str, commit: str) -> None:
        """Check out a commit as a release. Raises UpdateFailedError, DamagedMirrorError."""
        self.ask("check_out", {"release": release, "commit": commit}, 600, "checkout")

    def add_submodules(
        self, release: str, commit: str, upstream: Upstream, max_release: int
    ) -> None:
        """Fetch submodules and files in Git LFS, as `upstream` says, and write them into a release.

        Each submodule may take at most `max_release` bytes of disk space.
        Raises UnreachableError, UpdateFailedError.
        """
        if not (upstream.submodules or upstream.lfs):
            return
        with exchange(self.access, upstream.url, upstream.timeout, self.most) as request:
            request |= {
                "release": release, "commit": commit, "paths": upstream.submodules,
                "max_release": max_release, "with_lfs": upstream.lfs,
            }  # fmt: skip
            limit = upstream.timeout * (LARGE_FETCH if upstream.lfs else 1)
            what = "fetch of submodules" if upstream.submodules else "fetch from Git LFS"
            self.ask("add_submodules", request, limit, what, UnreachableError)

    def rehearse(
        self,
        release: str,
        previous: str,
        settings: Rehearse,
        *,
        same_packages: bool,
        started: tuple[str, ...] = (),
    ) -> tuple[str, ...]:
        """Test a release; return warnings. Raises UpdateFailedError.

        `same_packages`: the packages are those of `previous`, so only the app's own requirements
        are checked. `started`: the programs that the units of the services start.
        """
        request = {
            "release": release, "previous": previous, "commands": settings.commands,
            "smoke": settings.smoke, "same_packages": same_packages,
            "ignored": settings.smoke_ignore, "started": started,
        }  # fmt: skip
        done = self.ask("rehearse", request, settings.timeout, "rehearsal", UpdateFailedError)
        return tuple(str(warning) for warning in done.get("warnings", ()))

    def save_local_changes(
        self, release: str, shared: tuple[str, ...], message: str
    ) -> tuple[str, ...]:
        """Save local changes of a release as a stash; return the changed paths."""
        request = {"release": release, "shared": shared, "message": message}
        done = self.ask("save_local_changes", request, 600, "stash")
        return tuple(str(path) for path in done.get("paths", ()))

    def examine_checkout(self, shared: tuple[str, ...]) -> Checkout:
        """Examine the copy of an old checkout. Raises UpdateFailedError."""
        done = self.ask("examine_checkout", {"shared": shared}, 600, "inspection of the checkout")
        commit = done.get("commit")
        if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
            raise UpdateFailedError(f"the worker's answer has no commit: {commit!r}")
        lists = {key: tuple(value) for key, value in done.items() if isinstance(value, list)}
        return Checkout(**{**done, **lists})

    def take_over_checkout(self, shared: tuple[str, ...], name: str, message: str) -> TakenOver:
        """Copy into the mirror what only the old checkout has. Raises HostFaultError."""
        request = {"shared": shared, "name": name, "message": message}
        done = self.ask("take_over_checkout", request, 1800, "import of the checkout")
        return TakenOver(str(done.get("base")), int(done["local"]), bool(done["saved"]))

    def make_checkout(
        self, release: str, path: str, url: str, branch: str, shared: tuple[str, ...]
    ) -> int:
        """Make a plain checkout of a release, with an environment that works at `path`.

        Returns the number of stashes in it. Raises UpdateFailedError, HostFaultError.
        """
        request = {
            "release": release, "path": path, "url": url, "branch": branch, "shared": shared,
        }  # fmt: skip
        done = self.ask("make_checkout", request, 1800, "creation of the plain checkout")
        return int(done["stashes"])

    def remove(self, release: str) -> tuple[Remaining, ...]:
        """Move a release into the trash; return why that failed."""
        left = throw_away(self.paths, self.paths.release(release))
        # Without its release, the mirror's record harms nothing, and goes with that of the next.
        with suppress(AutoupdateError):
            self.ask("forget", {"release": release}, 600, "removal")
        return left

    def tidy(self, environments: set[str]) -> dict[str, tuple[Remaining, ...]]:
        """Move all environments except these into the trash; return what failed, by key."""
        place = self.paths.environments
        answer = self.ask("surplus", {"environments": sorted(environments)}, 60, "removal")
        told = answer.get("names")
        # The worker may say anything; what is needed stays.
        names = filter(lambda name: isinstance(name, str), told if isinstance(told, list) else ())
        surplus = set(os.listdir(place)).intersection(names)
        left = {
            name: throw_away(self.paths, f"{place}/{name}")
            for name in sorted(surplus - environments)
        }
        return {name: remaining for name, remaining in left.items() if remaining}
