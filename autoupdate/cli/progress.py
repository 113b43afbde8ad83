"""Shows the progress of a run on a terminal: its steps, the time they take, and percentages.

With bars if rich (python3-rich) is installed, otherwise as plain lines. A run with nothing to do
shows nothing.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from autoupdate.host.log import Log
from autoupdate.host.log_sinks import printable
from autoupdate.model.events import OUTPUT, Event
from autoupdate.model.steps import Step

if TYPE_CHECKING:
    from rich.progress import TaskID

WORDS = {
    Step.FETCH: "fetch",
    Step.VERIFY: "verify",
    Step.BUILD: "build",
    Step.REHEARSE: "rehearse",
    Step.ACTIVATE: "switch",
    Step.PROBATION: "watch the services",
    Step.ROLL_BACK: "roll back",
}
# git and pip print their progress in percent.
PERCENT = re.compile(r"\b([0-9]{1,3})% ")
LONGEST_LINE = 40
LONGEST_PRINTED = 100
# Seconds.
SILENT = 10.0


class Display(Protocol):
    """Shows the steps."""

    def begin(self, step: str) -> None:
        """End the previous step, and begin the next one."""

    def show(self, line: str, percent: int | None) -> None:
        """Show the last line of output, and the progress of the step if it is known."""

    def close(self) -> None:
        """End the last step."""


class Lines:
    """Prints a line for each step, and of its output one now and then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._printed_at = 0.0

    def begin(self, step: str) -> None:
        """Print the step."""
        self._print(f"{step} …")

    def show(self, line: str, percent: int | None) -> None:
        """Print a line if nothing was printed for SILENT seconds."""
        if self._clock() - self._printed_at >= SILENT:
            self._print(f"  {line[:LONGEST_PRINTED]}")

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)
        self._printed_at = self._clock()

    def close(self) -> None:
        """Do nothing."""


class Nothing:
    """Shows nothing: the terminal was closed."""

    def begin(self, step: str) -> None:
        """Do nothing."""

    def show(self, line: str, percent: int | None) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Bars:
    """Draws a bar for each step. Raises ImportError where rich is not installed."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(finished_text="✓"), TextColumn("{task.description:<20}", markup=False),
            BarColumn(bar_width=16), TimeElapsedColumn(),
            TextColumn("{task.fields[line]}", markup=False), console=Console(stderr=True),
        )  # fmt: skip
        self._progress.start()
        self._task: TaskID | None = None

    def begin(self, step: str) -> None:
        """Begin the bar of a step."""
        self._end()
        self._task = self._progress.add_task(step, total=None, line="")

    def show(self, line: str, percent: int | None) -> None:
        """Show a line of output next to the bar, and the progress."""
        if self._task is not None:
            total = None if percent is None else 100
            # rich keeps the value of an argument that is None.
            self._progress.update(
                self._task, line=line[:LONGEST_LINE], total=total, completed=percent
            )

    def close(self) -> None:
        """Leave the bars as they are now."""
        self._end()
        self._progress.stop()

    def _end(self) -> None:
        if self._task is not None:
            self._progress.update(self._task, total=1, completed=1, line="")


class Progress:
    """A log that also shows the progress."""

    def __init__(self, log: Log, display: type[Display] | None = None) -> None:
        self.log = log
        self._kind = display
        self._display: Display | None = None

    def write(self, event: Event) -> None:
        """Record one event; show the output of a build."""
        self.log.write(event)
        if event.kind == OUTPUT:
            self.show(event.message)

    def show(self, line: str) -> None:
        """Show a line of output of the current step."""
        if self._display:
            match = PERCENT.search(line)
            percent = min(int(match[1]), 100) if match else None
            with self._if_it_still_exists():
                self._display.show(printable(line), percent)

    def enter(self, step: Step) -> None:
        """Show that a step begins."""
        if step not in WORDS:
            return
        with self._if_it_still_exists():
            if self._display is None:
                self._display = self._kind() if self._kind else best_display()
            self._display.begin(WORDS[step])

    def close(self) -> None:
        """End the display."""
        if self._display:
            with self._if_it_still_exists():
                self._display.close()
            self._display = None

    @contextmanager
    def _if_it_still_exists(self) -> Iterator[None]:
        """Go on without the display if its terminal was closed."""
        try:
            yield
        except OSError:
            self._display, self._kind = None, Nothing


def best_display() -> Display:
    """Return bars if rich is installed, otherwise lines."""
    try:
        return Bars()
    except ImportError:
        return Lines()
