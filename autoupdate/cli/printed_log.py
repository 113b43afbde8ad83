"""Prints the steps of long verbs, such as `adopt`, while they are logged."""

from contextlib import suppress

from autoupdate.host.log import Log
from autoupdate.host.log_sinks import printable
from autoupdate.model.events import STASHED, STEP, Event

SHOWN = (STEP, STASHED)


class PrintedLog:
    """A log that also prints the steps."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def write(self, event: Event) -> None:
        """Record one event, and print it if it is a step; the verb itself prints how it ended."""
        self.log.write(event)
        if event.kind in SHOWN:
            # A lost terminal must not stop the verb; the log has the step.
            with suppress(OSError):
                print(printable(event.message.removeprefix(f"{event.app}: ")), flush=True)
