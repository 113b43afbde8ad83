"""The run's link to the worker: starts it as the builds' user, sends requests, checks answers."""

import json
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from autoupdate.config.sections import Build
from autoupdate.host.limits import LEAST_SPACE, free_space
from autoupdate.host.process import Identity, NotStartedError, kill_group, start
from autoupdate.model.errors import (
    AutoupdateError,
    DamagedMirrorError,
    DependenciesFailedError,
    HostFaultError,
    NoSpaceError,
    UnreachableError,
    UnusableUpstreamError,
    UpdateFailedError,
)
from autoupdate.model.paths import AppPaths
from autoupdate.upstream.build_credentials import lend
from autoupdate.upstream.credentials import hide
from autoupdate.worker.confinement import is_possible
from autoupdate.worker.orphans import become_subreaper, end_descendants

COMMAND = ("/usr/bin/python3", "-sP", "-m", "autoupdate.worker")
# The directory that the package is in.
LIBRARY = os.path.abspath(f"{os.path.dirname(__file__)}/../..")
# The errors that a worker may report; any other one counts as the commit's fault.
ERRORS: dict[str, type[AutoupdateError]] = {
    kind.__name__: kind
    for kind in (
        DamagedMirrorError,
        DependenciesFailedError,
        HostFaultError,
        NoSpaceError,
        UnreachableError,
        UnusableUpstreamError,
    )
}
# Limit for one line of a worker, in bytes.
LONGEST_LINE = 1_000_000
LOOK_EVERY = 0.05
TAKING_SPACE = ("fetch", "check_out", "prepare", "install", "finish")


class WorkerLink:
    """A worker in its own process, which starts with the first request."""

    def __init__(
        self,
        paths: AppPaths,
        identity: Identity | None,
        environment: Mapping[str, str],
        output: Callable[[str, str], None],
        unconfined: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare a worker; `output` gets each line of a build with the name of its release, or "".

        `unconfined` is called if the kernel cannot confine it.
        """
        self.paths = paths
        self.identity = identity
        # The worker must be of the same version as this run, wherever that was loaded from.
        self.environment = {**environment, "PYTHONPATH": LIBRARY}
        self.output = output
        self.watched: Callable[[str], None] = lambda _: None
        self.unconfined = unconfined
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self._takes_space = False
        self._secrets: tuple[str, ...] = ()

    @contextmanager
    def lending(self, build: Build) -> Iterator[dict[str, str]]:
        """Lend the credentials of builds; yield the variables by which installers find them.

        Output of the worker is passed on without these secrets meanwhile.
        Raises ConfigurationError, NotPermittedError.
        """
        with lend(build.credentials, self.paths.run, self.identity) as access:
            self._secrets = access.secrets
            try:
                yield access.environment
            finally:
                self._secrets = ()

    def close(self) -> None:
        """End the worker and every process that it started."""
        if self._process:
            kill_group(self._process)
            # As root, this process has no children but the worker's.
            if self.identity:
                end_descendants()
            self._process = None
            self._unread = b""

    def ask(
        self,
        do: str,
        arguments: dict[str, Any],
        timeout: float,
        what: str,
        late: type[AutoupdateError] = HostFaultError,
        begun: float | None = None,
    ) -> dict[str, Any]:
        """Send a request, and return the answer; `late` is the error after a timeout.

        The limit counts from `begun` (time.monotonic), for work that takes several requests.
        """
        deadline = (time.monotonic() if begun is None else begun) + timeout
        self._takes_space = do in TAKING_SPACE
        if self._process and self._process.poll() is not None:
            # It died while it was idle, so nothing is lost.
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
                line = hide(storable(message["output"]), self._secrets)
                self.output(line, str(arguments.get("release", "")))
            elif isinstance(message.get("progress"), str):
                self.watched(storable(message["progress"]))
            elif (done := result(message)) is not None:
                return done

    def _start(self) -> "subprocess.Popen[bytes]":
        try:
            if self.identity:
                become_subreaper()
            if not is_possible():
                self.unconfined()
                # Reported once in each run, however many workers it starts.
                self.unconfined = lambda: None
            return start(
                [*COMMAND, self.paths.home], environment=self.environment, identity=self.identity
            )
        except NotStartedError as error:
            raise HostFaultError(f"the worker did not start: {error}") from None

    def _message(self, deadline: float, what: str) -> dict[str, Any] | None:
        """Read one line of the worker as a JSON object; None when the time is up."""
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
        return understand(line)

    def _read(self, deadline: float) -> bytes | None:
        """Read what has arrived; None when the time is up, empty when the worker is gone."""
        assert self._process is not None  # noqa: S101 - for the type checker
        assert self._process.stdout is not None  # noqa: S101
        left = deadline - time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            # A worker does not get more time by writing output.
            while left > 0 and not selector.select(min(left, LOOK_EVERY)):
                if self._takes_space:
                    self._leave_space()
                left = deadline - time.monotonic()
            if left <= 0:
                return None
        return self._process.stdout.read1(65536)  # type: ignore[attr-defined,no-any-return]

    def _leave_space(self) -> None:
        """End a worker before it fills the disk, which others on this host need, too."""
        if free_space(self.paths.home) < LEAST_SPACE:
            self.close()
            raise NoSpaceError(f"it was stopped because less than {LEAST_SPACE >> 20} MiB are free")


def understand(line: bytes) -> dict[str, Any]:
    """Parse one line of a worker; return an empty message if it is not a JSON object."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def result(message: dict[str, Any]) -> dict[str, Any] | None:
    """Return the answer in a message, or None. Raises the error that the message reports."""
    if isinstance(message.get("done"), dict):
        return dict(message["done"])
    if "failed" in message:
        kind = ERRORS.get(str(message.get("kind")), UpdateFailedError)
        said, advice = storable(str(message["failed"])), storable(str(message.get("advice", "")))
        if issubclass(kind, UnreachableError):
            raise kind(said, advice, storable(str(message.get("server", ""))))
        raise kind(said, advice)
    return None


def storable(text: str) -> str:
    """Escape what UTF-8 cannot encode: names in upstream's repository may be other bytes."""
    return text.encode(errors="backslashreplace").decode()
