"""Prints the demo: in 80 columns, with colours on a terminal only."""

import os
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager

_WIDTH = 80
_BOLD, _DIM, _GREEN, _RED = "1", "2", "32", "31"


class NotSeenError(AssertionError):
    """What the demo expected did not happen."""


class Narrator:
    """Prints to standard output, without buffering."""

    def __init__(self) -> None:
        """Find out whether to use colours."""
        self._colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._steps = 0
        # A pipe or an unusual locale must not end the demo.
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")

    def title(self, text: str) -> None:
        """Print the title."""
        self._print(text, _BOLD)
        self._print("=" * len(text), _BOLD)

    def step(self, text: str) -> None:
        """Print the heading of a part of the story."""
        self._steps += 1
        self._print(f"\n{self._steps}. {text}", _BOLD)

    def say(self, text: str) -> None:
        """Print a paragraph."""
        print()
        self._wrapped(text, "")

    def command(self, text: str) -> None:
        """Print a command as it is typed."""
        print()
        self._wrapped(text, "  # ", _BOLD, "      ")

    def output(self, text: str) -> None:
        """Print the output of a command."""
        for line in text.rstrip().splitlines():
            indent = " " * (len(line) - len(line.lstrip()))
            self._wrapped(line.strip(), f"  | {indent}", _DIM, f"  |   {indent}")

    def seen(self, text: str) -> None:
        """Print something that has been checked."""
        self._wrapped(text, "  ok  ", _GREEN)

    def failed(self, text: str) -> None:
        """Print all lines of an error."""
        print()
        for line in text.rstrip().splitlines():
            self._print(line, _RED)

    def check(self, holds: bool, text: str, otherwise: object) -> None:
        """Print a text if it is true; otherwise raise NotSeenError with what was seen instead."""
        if not holds:
            raise NotSeenError(f"not seen: {text}\ninstead: {otherwise}")
        self.seen(text)

    @contextmanager
    def long(self, text: str) -> Iterator[None]:
        """Print a text before something that takes long, and its duration afterwards."""
        print(f"  {text} ", end="", flush=True)
        started = time.monotonic()
        try:
            yield
        except BaseException:
            print(flush=True)
            raise
        dots = "." * max(_WIDTH - len(text) - 12, 3)
        print(f"{dots} {duration(time.monotonic() - started)}", flush=True)

    def _wrapped(self, text: str, first: str, code: str = "", others: str | None = None) -> None:
        lines = textwrap.wrap(
            text,
            _WIDTH,
            initial_indent=first,
            subsequent_indent=" " * len(first) if others is None else others,
            break_on_hyphens=False,
        )
        for line in lines or [first.rstrip()]:
            self._print(line, code)

    def _print(self, text: str, code: str = "") -> None:
        print(f"\x1b[{code}m{text}\x1b[0m" if code and self._colours else text, flush=True)


def duration(seconds: float) -> str:
    """Return a time span as text."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
