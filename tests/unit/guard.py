"""Keeps unit tests off the host: no process, no network, no file outside the test's directory.

Built on Python's audit events (PEP 578), which also see what a library does behind our back.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Reading there would make a test depend on the host that it runs on.
HOST_STATE = ("/etc/", "/var/", "/run/", "/usr/lib/autoupdate")
# The code under test may lie anywhere on it.
PROJECT = f"{Path(__file__).parents[2]}/"
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
PROCESSES = frozenset({
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty",
    "os.kill", "os.killpg",
})  # fmt: skip
NETWORK = frozenset({
    "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
    "socket.gethostbyname",
})  # fmt: skip
# Each event that changes the file system: the positions of its paths, and of their directories.
CHANGES: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((0, 2), (1, 3)),
    "os.symlink": ((1, 2),),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.truncate": ((0, None),),
    "os.utime": ((0, 3),),
}


class HostAccessError(AssertionError):
    """A unit test reached for the host."""


class Guard:
    """Watches what the interpreter does while a test runs."""

    def __init__(self) -> None:
        self.home: Path | None = None
        self.violations: list[str] = []
        self.before_change: Callable[[str], None] | None = None
        """Called before each change of the file system; may raise, as if the process died."""

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at one audit event."""
        if self.home is None:
            return
        if event in PROCESSES or event in NETWORK:
            self._refuse(f"{event} {arguments[:2]!r}")
        elif event == "open":
            self._look_at_open(*arguments)
        elif event == "sqlite3.connect" and arguments[0] != ":memory:":
            self._look_at_path(event, str(arguments[0]).removeprefix("file:").partition("?")[0])
        elif event in CHANGES:
            for path, directory in CHANGES[event]:
                where = arguments[directory] if directory is not None else -1
                self._look_at_path(event, arguments[path], where)
            self._tell(event)

    def _look_at_open(self, path: Any, mode: str | None, flags: int) -> None:
        if isinstance(path, int) or (isinstance(path, str) and "__pycache__" in path):
            return
        if flags & WRITING:
            self._look_at_path("open to write", path)
            self._tell("open")
        else:
            full = os.path.abspath(os.fsdecode(path))
            if full.startswith(HOST_STATE) and not self._may_be_read(full):
                self._refuse(f"open {full}")

    def _look_at_path(self, event: str, path: Any, directory: int = -1) -> None:
        if isinstance(path, int):
            full = os.readlink(f"/proc/self/fd/{path}")
        else:
            base = os.readlink(f"/proc/self/fd/{directory}") if directory >= 0 else os.getcwd()
            full = os.path.normpath(os.path.join(base, os.fsdecode(path)))
        if not self._is_ours(full) and "__pycache__" not in full:
            self._refuse(f"{event} {full}")

    def _may_be_read(self, full: str) -> bool:
        return full.startswith(PROJECT) or self._is_ours(full)

    def _is_ours(self, full: str) -> bool:
        # The second one is SQLite's name for no file.
        return full in (os.devnull, f"{os.getcwd()}/:memory:") or f"{full}/".startswith(
            f"{self.home}/"
        )

    def _tell(self, event: str) -> None:
        if self.before_change:
            self.before_change(event)

    def _refuse(self, what: str) -> None:
        # Noted as well as raised, since the code under test may swallow what it gets.
        self.violations.append(what)
        raise HostAccessError(f"a unit test must not touch the host: {what}")


GUARD = Guard()
sys.addaudithook(GUARD.hook)
