"""Shows on a terminal what a run is at: its steps, how long each takes, and how far it is.

Drawn by rich (python3-rich), where that is installed, and only once there is something to do; in
plain lines otherwise.
"""

import re
import sys
from typing import TYPE_CHECKING, Protocol

from autoupdate.host.log import Log
from autoupdate.host.log_sinks import printable
from autoupdate.model.events import OUTPUT, Event
from autoupdate.model.steps import Step

if TYPE_CHECKING:
    from rich.progress import TaskID

WORDS = {
    Step.FETCH: "fetch",
    Step.VERIFY: "look at the commit",
    Step.BUILD: "build",
    Step.REHEARSE: "try the release out",
    Step.ACTIVATE: "switch",
    Step.PROBATION: "watch the services",
    Step.ROLL_BACK: "go back",
}
# What git and pip print of what they do: a number of hundred.
PERCENT = re.compile(r"\b([0-9]{1,3})% ")
LONGEST_LINE = 40


class Display(Protocol):
    """What draws the steps."""

    def begin(self, step: str) -> None:
        """End the step before, and begin another one."""

    def show(self, line: str, percent: int | None) -> None:
        """Show what was printed last, and how far the step is, if that is known."""

    def close(self) -> None:
        """End drawing."""


class Lines:
    """Prints a line for each step."""

    def begin(self, step: str) -> None:
        """Print the step."""
        print(f"{step} …", file=sys.stderr, flush=True)

    def show(self, line: str, percent: int | None) -> None:
        """Do nothing: a line stays."""

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
        """Show a line beside the bar, and how far it is."""
        if self._task is not None:
            total = None if percent is None else 100
            # What is None stays as it was.
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
    """A log that also shows what happens."""

    def __init__(self, log: Log, display: type[Display] | None = None) -> None:
        self.log = log
        self._kind = display
        self._display: Display | None = None

    def write(self, event: Event) -> None:
        """Record one event; show what a build prints."""
        self.log.write(event)
        if event.kind == OUTPUT:
            self.show(event.message)

    def show(self, line: str) -> None:
        """Show a line of what is under way."""
        if self._display:
            match = PERCENT.search(line)
            percent = min(int(match[1]), 100) if match else None
            self._display.show(printable(line), percent)

    def enter(self, step: Step) -> None:
        """Show that a step begins."""
        if step not in WORDS:
            return
        if self._display is None:
            self._display = self._kind() if self._kind else best_display()
        self._display.begin(WORDS[step])

    def close(self) -> None:
        """End showing."""
        if self._display:
            self._display.close()
            self._display = None


def best_display() -> Display:
    """Return the best display that this host has."""
    try:
        return Bars()
    except ImportError:
        return Lines()
