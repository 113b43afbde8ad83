"""Ends all descendants of this process, in whatever session and with whatever parent."""

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent ends, so that none is lost (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants(limit: float = 10) -> list[int]:
    """Kill all descendants; return those that did not end."""
    deadline = time.monotonic() + limit
    while left := _children():
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            # Its children become ours, and are found in the next round.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process, os.WNOHANG)
        if time.monotonic() > deadline:
            return left
        time.sleep(0.01)
    return []


def _children() -> list[int]:
    lists = Path("/proc/self/task").glob("*/children")
    found: list[int] = []
    for file in lists:
        with contextlib.suppress(OSError):  # a thread that has just ended
            found += map(int, file.read_text().split())
    return found
