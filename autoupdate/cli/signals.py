"""Signals to a verb that may have stopped services: it finishes, undoes or hands over its work."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from autoupdate.model.errors import Interrupted


@contextmanager
def outlive_the_terminal() -> Iterator[None]:
    """Go on when the terminal closes; stop at the first Ctrl+C or SIGTERM, and ignore others."""
    before = [(number, signal.getsignal(number)) for number in
              (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)]  # fmt: skip
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    # What is undone or handed over now must not be interrupted again.
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)
    raise Interrupted("", 128 + number)
