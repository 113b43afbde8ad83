"""What systemctl(1) is told by a systemd that hears nobody just now."""

import os
import time
from collections.abc import Callable

from autoupdate.host.process import Completed

# sd_booted(3).
BOOTED = "/run/systemd/system"
# After an upgrade of its package systemd executes itself anew (systemctl(1), daemon-reexec).
# Whoever asks meanwhile is told, with one of these, nothing that lasts.
UNHEARD = (
    "Connection refused",
    "Connection reset by peer",
    "Transport endpoint is not connected",
    "disconnected from message bus without replying",
)
# In seconds; that takes a fraction of one.
PATIENCE = 30.0
PAUSE = 0.5


def insist(ask: Callable[[], Completed | None], *, booted: str = BOOTED) -> Completed | None:
    """Ask systemd until it has heard, for half a minute at most; return what was said last.

    Where there is no systemd nobody waits. What is asked may be asked twice.
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
    """Tell whether systemctl failed because its connection was lost, or there was none."""
    return bool(answer.returncode) and any(words in answer.stderr for words in UNHEARD)
