"""The run's side of the worker: starts it as the builds' user, asks, and believes little."""

import json
import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from autoupdate.check import COMMIT
from autoupdate.checkout import Checkout, TakenOver
from autoupdate.confinement import is_possible
from autoupdate.errors import (
    AutoupdateError,
    DamagedMirrorError,
    DependenciesFailedError,
    HostFaultError,
    NoSpaceError,
    UnreachableError,
    UpdateFailedError,
)
from autoupdate.findings import Findings
from autoupdate.findings import read as read_findings
from autoupdate.orphans import become_subreaper, end_descendants
from autoupdate.paths import AppPaths
from autoupdate.run import Identity, NotStartedError, kill_group, start
from autoupdate.settings import Build, Rehearse

COMMAND = ("/usr/bin/python3", "-sP", "-m", "autoupdate.worker")
LIBRARY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# What a worker may blame; everything else is the commit's fault.
ERRORS: dict[str, type[AutoupdateError]] = {
    kind.__name__: kind
    for kind in (
        DamagedMirrorError,
        DependenciesFailedError,
        HostFaultError,
        NoSpaceError,
        UnreachableError,
    )
}
# One line of a worker; more than this is no answer of ours.
LONGEST_LINE = 1_000_000
LOOK_EVERY = 0.25
TAKING_SPACE = ("fetch", "check_out", "build")
# What a worker leaves to others, in bytes.
LEAST_SPACE = 16 << 20


class Fetched(NamedTuple):
    """A commit that is now in the mirror."""

    commit: str
    subject: str


class Plan(NamedTuple):
    """What a build will need: its environment, by key, and whether that is there; free bytes."""

    environment: str
    interpreter: str
    reused: bool
    free: int


class Workshop(Protocol):
    """What an update needs done by the builds' user."""

    def fetch(self, url: str, wanted: str, timeout: float, tags: tuple[str, ...] = ()) -> Fetched:
        """Fetch a ref or commit, and tags. Raises UnreachableError, DamagedMirrorError."""

    def relation(self, base: str, commit: str) -> str:
        """Tell what a commit is to another: descends, ancestor, diverged, or unknown."""

    def renew_mirror(self) -> None:
        """Begin a new mirror in place of a damaged one."""

    def inspect(self, commit: str, deployed: str, asked: tuple[str, ...]) -> Findings:
        """Compare a commit of the mirror with the deployed one (empty: none).

        `asked` are paths of which to tell whether the commit has them. Raises UpdateFailedError.
        """

    def resolve(self, name: str) -> str:
        """Return the full name of a commit of the mirror, or nothing. Raises UpdateFailedError."""

    def check_out(self, release: str, commit: str) -> None:
        """Make the work tree of a release. Raises UpdateFailedError, DamagedMirrorError."""

    def plan(self, release: str, build: Build) -> Plan:
        """Find out what the build of a release needs. Raises UpdateFailedError."""

    def build(self, release: str, shared: tuple[str, ...], build: Build) -> int:
        """Build the environment of a release; return the bytes that it took.

        Raises DependenciesFailedError, UpdateFailedError, HostFaultError, UnreachableError.
        """

    def rehearse(self, release: str, previous: str, settings: Rehearse) -> tuple[str, ...]:
        """Try a release out; return what is merely odd. Raises UpdateFailedError."""

    def save_local_changes(
        self, release: str, shared: tuple[str, ...], message: str
    ) -> tuple[str, ...]:
        """Save local changes of a release as a stash; return the changed paths."""

    def examine_checkout(self, shared: tuple[str, ...]) -> Checkout:
        """Look at the copy of an old checkout. Raises UpdateFailedError."""

    def take_over_checkout(self, shared: tuple[str, ...], name: str, message: str) -> TakenOver:
        """Take over into the mirror what only the old checkout has. Raises HostFaultError."""

    def make_checkout(
        self, release: str, path: str, url: str, branch: str, shared: tuple[str, ...]
    ) -> int:
        """Make a plain checkout of a release, with an environment for a path.

        Returns how many stashes are in it. Raises UpdateFailedError, HostFaultError.
        """

    def remove(self, release: str) -> None:
        """Remove a release."""

    def tidy(self, environments: set[str]) -> None:
        """Remove all environments but these."""

    def close(self) -> None:
        """End the worker with everything that it started."""


class WorkerProcess:
    """A worker in a process of its own, started when it is first needed."""

    def __init__(
        self,
        paths: AppPaths,
        identity: Identity | None,
        environment: Mapping[str, str],
        output: Callable[[str], None],
        unconfined: Callable[[], None] = lambda: None,
    ) -> None:
        """Start nothing yet; `unconfined` is called when a worker starts on such a kernel."""
        self.paths = paths
        self.identity = identity
        # The worker must be of the same version as this run, wherever that was loaded from.
        self.environment = {**environment, "PYTHONPATH": LIBRARY}
        self.output = output
        self.unconfined = unconfined
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        # Several gates ask for the same, and what a commit holds never changes.
        self._inspected: dict[tuple[str, str, tuple[str, ...]], Findings] = {}

    def fetch(self, url: str, wanted: str, timeout: float, tags: tuple[str, ...] = ()) -> Fetched:
        """Fetch a ref or commit, and tags. Raises UnreachableError, DamagedMirrorError."""
        request = {"url": url, "wanted": wanted, "tags": tags}
        done = self._ask("fetch", request, timeout, "fetch", UnreachableError)
        commit = done.get("commit")
        if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
            raise UpdateFailedError(f"the worker's answer names no commit: {commit!r}")
        return Fetched(commit, str(done.get("subject", "")))

    def relation(self, base: str, commit: str) -> str:
        """Tell what a commit is to another: descends, ancestor, diverged, or unknown."""
        done = self._ask("relation", {"base": base, "commit": commit}, 300, "look at the history")
        return str(done.get("relation"))

    def renew_mirror(self) -> None:
        """Begin a new mirror in place of a damaged one."""
        self.close()
        # The directory above is ours, and closed to the builds' user.
        mirror, aside = self.paths.mirror, f"{self.paths.mirror}.damaged"
        try:
            shutil.rmtree(aside, ignore_errors=True)
            os.rename(mirror, aside)
            os.mkdir(mirror, 0o755)
            if self.identity:
                os.chown(mirror, self.identity.uid, self.identity.gid)
        except OSError as error:
            raise HostFaultError(f"{mirror} cannot be made anew: {error.strerror}") from None
        self._ask("begin_mirror", {}, 600, "renewal of the mirror")

    def inspect(self, commit: str, deployed: str, asked: tuple[str, ...]) -> Findings:
        """Compare a commit of the mirror with the deployed one (empty: none).

        `asked` are paths of which to tell whether the commit has them. Raises UpdateFailedError.
        """
        request = {"commit": commit, "deployed": deployed, "asked": asked}
        key = (commit, deployed, asked)
        if key not in self._inspected:
            self._inspected[key] = read_findings(self._ask("inspect", request, 300, "inspection"))
        return self._inspected[key]

    def resolve(self, name: str) -> str:
        """Return the full name of a commit of the mirror, or nothing. Raises UpdateFailedError."""
        found = str(self._ask("resolve", {"name": name}, 60, "search for a commit").get("commit"))
        return found if COMMIT.fullmatch(found) and found.startswith(name) else ""

    def check_out(self, release: str, commit: str) -> None:
        """Make the work tree of a release. Raises UpdateFailedError, DamagedMirrorError."""
        self._ask("check_out", {"release": release, "commit": commit}, 600, "check out")

    def plan(self, release: str, build: Build) -> Plan:
        """Find out what the build of a release needs. Raises UpdateFailedError."""
        request = {"release": release, "settings": build._asdict()}
        done = self._ask("plan", request, 60, "plan of the build")
        free = done.get("free")
        return Plan(
            str(done.get("key")),
            str(done.get("interpreter")),
            bool(done.get("reused")),
            free if isinstance(free, int) else 0,
        )

    def build(self, release: str, shared: tuple[str, ...], build: Build) -> int:
        """Build the environment of a release; return the bytes that it took.

        Raises DependenciesFailedError, UpdateFailedError, HostFaultError, UnreachableError.
        """
        request = {"release": release, "shared": shared, "settings": build._asdict()}
        done = self._ask("build", request, build.timeout, "build", UpdateFailedError)
        taken = done.get("bytes")
        return taken if isinstance(taken, int) else 0

    def rehearse(self, release: str, previous: str, settings: Rehearse) -> tuple[str, ...]:
        """Try a release out; return what is merely odd. Raises UpdateFailedError."""
        request = {
            "release": release, "previous": previous, "commands": settings.commands,
            "smoke": settings.smoke,
        }  # fmt: skip
        done = self._ask("rehearse", request, settings.timeout, "rehearsal", UpdateFailedError)
        return tuple(str(warning) for warning in done.get("warnings", ()))

    def save_local_changes(
        self, release: str, shared: tuple[str, ...], message: str
    ) -> tuple[str, ...]:
        """Save local changes of a release as a stash; return the changed paths."""
        request = {"release": release, "shared": shared, "message": message}
        done = self._ask("save_local_changes", request, 600, "stash")
        return tuple(str(path) for path in done.get("paths", ()))

    def examine_checkout(self, shared: tuple[str, ...]) -> Checkout:
        """Look at the copy of an old checkout. Raises UpdateFailedError."""
        done = self._ask("examine_checkout", {"shared": shared}, 600, "look at the checkout")
        commit = done.get("commit")
        if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
            raise UpdateFailedError(f"the worker's answer names no commit: {commit!r}")
        lists = {key: tuple(value) for key, value in done.items() if isinstance(value, list)}
        return Checkout(**{**done, **lists})

    def take_over_checkout(self, shared: tuple[str, ...], name: str, message: str) -> TakenOver:
        """Take over into the mirror what only the old checkout has. Raises HostFaultError."""
        request = {"shared": shared, "name": name, "message": message}
        done = self._ask("take_over_checkout", request, 1800, "take-over of the checkout")
        return TakenOver(str(done.get("base")), int(done["local"]), bool(done["saved"]))

    def make_checkout(
        self, release: str, path: str, url: str, branch: str, shared: tuple[str, ...]
    ) -> int:
        """Make a plain checkout of a release, with an environment for a path.

        Returns how many stashes are in it. Raises UpdateFailedError, HostFaultError.
        """
        request = {
            "release": release, "path": path, "url": url, "branch": branch, "shared": shared,
        }  # fmt: skip
        done = self._ask("make_checkout", request, 1800, "plain checkout")
        return int(done["stashes"])

    def remove(self, release: str) -> None:
        """Remove a release."""
        self._ask("remove", {"release": release}, 600, "removal")

    def tidy(self, environments: set[str]) -> None:
        """Remove all environments but these."""
        self._ask("tidy", {"environments": sorted(environments)}, 600, "removal")

    def close(self) -> None:
        """End the worker with everything that it started."""
        if self._process:
            kill_group(self._process)
            # As root, this process has no other children than the worker's.
            if self.identity:
                end_descendants()
            self._process = None
            self._unread = b""

    def _ask(
        self,
        do: str,
        arguments: dict[str, Any],
        timeout: float,
        what: str,
        late: type[AutoupdateError] = HostFaultError,
    ) -> dict[str, Any]:
        """Ask the worker; `late` is the error for an answer that does not come in time."""
        deadline = time.monotonic() + timeout
        self._takes_space = do in TAKING_SPACE
        if self._process and self._process.poll() is not None:
            # It died while there was nothing to do, and nothing is lost by it.
            self.close()
        if self._process is None:
            self._process = self._start()
        request = json.dumps({"do": do, "with": arguments}) + "\n"
        try:
            assert self._process.stdin is not None  # noqa: S101 - for the type checker: a pipe
            self._process.stdin.write(request.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            self.close()
            raise HostFaultError(f"the {what} could not be started: its worker died") from None
        while True:
            message = self._message(deadline, what)
            if message is None:
                raise late(f"the {what} did not end within {timeout:g} s")
            if isinstance(message.get("output"), str):
                self.output(message["output"])
            elif isinstance(message.get("done"), dict):
                return dict(message["done"])
            elif "failed" in message:
                kind = ERRORS.get(str(message.get("kind")), UpdateFailedError)
                raise kind(str(message["failed"]), str(message.get("advice", "")))

    def _start(self) -> "subprocess.Popen[bytes]":
        try:
            if self.identity:
                become_subreaper()
            if not is_possible():
                self.unconfined()
            return start(
                [*COMMAND, self.paths.home], environment=self.environment, identity=self.identity
            )
        except NotStartedError as error:
            raise HostFaultError(f"no worker: {error}") from None

    def _message(self, deadline: float, what: str) -> dict[str, Any] | None:
        """Read one line of the worker, made sure to be an object; None when the time is over."""
        while b"\n" not in self._unread:
            chunk = self._read(deadline)
            if chunk is None:
                self.close()
                return None
            if not chunk or len(self._unread) > LONGEST_LINE:
                self.close()
                raise HostFaultError(f"the {what} ended without an answer: its worker died")
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        return message if isinstance(message, dict) else {}

    def _read(self, deadline: float) -> bytes | None:
        """Read what is there; None when the time is over, empty when the worker is gone."""
        assert self._process is not None  # noqa: S101 - for the type checker
        assert self._process.stdout is not None  # noqa: S101
        left = deadline - time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            # Whoever never stops talking does not get more time by it.
            while left > 0 and not selector.select(min(left, LOOK_EVERY)):
                if self._takes_space:
                    self._leave_space()
                left = deadline - time.monotonic()
            if left <= 0:
                return None
        return self._process.stdout.read1(65536)  # type: ignore[attr-defined,no-any-return]

    def _leave_space(self) -> None:
        """End a worker before it takes the last space, which others on this host need as well."""
        facts = os.statvfs(self.paths.home)
        if facts.f_bavail * facts.f_frsize < LEAST_SPACE:
            self.close()
            raise NoSpaceError(f"it was stopped, as less than {LEAST_SPACE >> 20} MiB are left")
