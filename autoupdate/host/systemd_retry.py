"""Repeats calls of systemctl(1) that fail while systemd re-executes itself."""

import os
import time
from collections.abc import Callable

from autoupdate.host.process import Completed

# sd_booted(3).
BOOTED = "/run/systemd/system"
# After an upgrade of its package systemd re-executes itself (systemctl(1), daemon-reexec). Calls
# meanwhile fail with one of these messages.
UNHEARD = (
    "Connection refused",
    "Connection reset by peer",
    "Transport endpoint is not connected",
    "disconnected from message bus without replying",
)
# In seconds; the re-execution takes less than one.
PATIENCE = 30.0
PAUSE = 0.5


def insist(ask: Callable[[], Completed | None], *, booted: str = BOOTED) -> Completed | None:
    """Repeat a call until systemd answers, for at most PATIENCE seconds; return the last result.

    Without systemd the first result is returned. The call may be executed more than once.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = ask()
        if answer is None or not is_unheard(answer) or not os.path.isdir(booted):
            return answer
        if time.monotonic() > deadline:
            return answer
        time.sleep(PAUSE)


def is_unheard(answer: Completed) -> bool:
    """Return whether systemctl failed because it lost its connection, or got none."""
    return bool(answer.returncode) and any(words in answer.stderr for words in UNHEARD)
