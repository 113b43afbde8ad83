"""The run's link to the worker: starts it as the builds' user, asks, and believes little."""

import json
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from autoupdate.host.limits import LEAST_SPACE, free_space
from autoupdate.host.process import Identity, NotStartedError, kill_group, start
from autoupdate.model.errors import (
    AutoupdateError,
    DamagedMirrorError,
    DependenciesFailedError,
    HostFaultError,
    NoSpaceError,
    UnreachableError,
    UpdateFailedError,
)
from autoupdate.model.paths import AppPaths
from autoupdate.worker.confinement import is_possible
from autoupdate.worker.orphans import become_subreaper, end_descendants

COMMAND = ("/usr/bin/python3", "-sP", "-m", "autoupdate.worker")
# The directory that the package is in.
LIBRARY = os.path.abspath(f"{os.path.dirname(__file__)}/../..")
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
LOOK_EVERY = 0.05
TAKING_SPACE = ("fetch", "check_out", "prepare", "finish")


class WorkerLink:
    """A worker in a process of its own, started when it is first asked something."""

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
        self.watched: Callable[[str], None] = lambda _: None
        self.unconfined = unconfined
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self._takes_space = False

    def close(self) -> None:
        """End the worker with everything that it started."""
        if self._process:
            kill_group(self._process)
            # As root, this process has no other children than the worker's.
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
        """Ask the worker; `late` is the error for an answer that does not come in time.

        The time counts from `begun` (time.monotonic), for what takes more than one request.
        """
        deadline = (time.monotonic() if begun is None else begun) + timeout
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
                self.output(storable(message["output"]))
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
                # Said once in each run, however many workers that takes.
                self.unconfined = lambda: None
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
        return understand(line)

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
        if free_space(self.paths.home) < LEAST_SPACE:
            self.close()
            raise NoSpaceError(f"it was stopped, as less than {LEAST_SPACE >> 20} MiB are left")


def understand(line: bytes) -> dict[str, Any]:
    """Return what a worker says in one line; nothing if it is no object of JSON."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def result(message: dict[str, Any]) -> dict[str, Any] | None:
    """Return the answer in a message; None for one without. Raises the error that it tells of."""
    if isinstance(message.get("done"), dict):
        return dict(message["done"])
    if "failed" in message:
        kind = ERRORS.get(str(message.get("kind")), UpdateFailedError)
        raise kind(storable(str(message["failed"])), storable(str(message.get("advice", ""))))
    return None


def storable(text: str) -> str:
    """Return a text of upstream's so that every file takes it: names there may be no UTF-8."""
    return text.encode(errors="backslashreplace").decode()
