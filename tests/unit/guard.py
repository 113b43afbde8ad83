"""Forbids unit tests to touch the host: no process, no network, no file outside their directory.

Uses Python's audit events (PEP 578), which also see what libraries do.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# A test that reads here would depend on the host.
HOST_STATE = ("/etc/", "/var/", "/run/", "/usr/lib/autoupdate")
# Reading the project itself is allowed, wherever it is.
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
# Events that change the file system: the positions of their paths, and of the directories.
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
    """A unit test tried to touch the host."""


class Guard:
    """Checks what the interpreter does while a test runs."""

    def __init__(self) -> None:
        self.home: Path | None = None
        self.violations: list[str] = []
        self.before_change: Callable[[str], None] | None = None
        """Called before each change of the file system; may raise, as if the process was killed."""

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Check one audit event."""
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
        # The second is SQLite's name for a database in memory.
        return full in (os.devnull, f"{os.getcwd()}/:memory:") or f"{full}/".startswith(
            f"{self.home}/"
        )

    def _tell(self, event: str) -> None:
        if self.before_change:
            self.before_change(event)

    def _refuse(self, what: str) -> None:
        # Recorded as well as raised, because the code under test may catch the error.
        self.violations.append(what)
        raise HostAccessError(f"a unit test must not touch the host: {what}")


GUARD = Guard()
sys.addaudithook(GUARD.hook)
