"""For verbs that take minutes and that somebody types: what is logged is printed, too."""

import signal
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
        """Record one event; how it ends is printed by the verb itself."""
        self.log.write(event)
        if event.kind in SHOWN:
            # A terminal that is gone must not undo what was begun; the log has the step.
            with suppress(OSError):
                print(printable(event.message.removeprefix(f"{event.app}: ")), flush=True)


def outlive_the_terminal() -> None:
    """Go on when the connection to the administrator's terminal breaks: services are stopped."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # As with Ctrl-C, what was begun is undone at once.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
