"""Writes events to the journal, with their fields, and to the log file that users know."""

import os
import sys
from contextlib import suppress
from typing import Protocol

from autoupdate.host.log_sinks import append_line, printable, send
from autoupdate.model.events import LOG_UNWRITABLE, OUTPUT, Event

# Of events, and of the output of builds, rehearsals and hooks (journalctl(1), --identifier).
IDENTIFIER, OUTPUT_IDENTIFIER = "autoupdate", "autoupdate-build"
# How many lines of output a run leaves in the journal.
MOST_OUTPUT = 200


class Log(Protocol):
    """Where events go."""

    def write(self, event: Event) -> None:
        """Record one event."""


class HostLog:
    """The journal (systemd.journal-fields(7)) and the log file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._output = 0

    def write(self, event: Event) -> None:
        """Record one event in both; output goes only to the journal, and not all of it.

        If the file cannot be written, the update continues, and the journal gets an event.
        """
        if event.kind == OUTPUT:
            self._write_output(event)
            return
        to_journal(event)
        try:
            append_line(self.file, event.message)
        except OSError as error:
            to_journal(Event(LOG_UNWRITABLE, f"cannot write {self.file}: {error.strerror}"))

    def _write_output(self, event: Event) -> None:
        self._output += 1
        if self._output <= MOST_OUTPUT:
            to_journal(event)
        elif self._output == MOST_OUTPUT + 1:
            of = f"show {event.release} --log {event.app}" if event.release else "show --help"
            rest = f"the rest of the output is not in the journal: autoupdatectl {of}"
            to_journal(event._replace(message=rest))


def to_journal(event: Event) -> None:
    """Send one event to the journal; without a journal (a container) nothing happens."""
    send(fields_of(event))


def fields_of(event: Event) -> list[str]:
    """Return the fields of an event, each NAME=VALUE; those without a value are left out."""
    fields = {
        "MESSAGE": event.message,
        "MESSAGE_ID": event.kind.message_id,
        "PRIORITY": str(event.kind.priority),
        "SYSLOG_IDENTIFIER": OUTPUT_IDENTIFIER if event.kind == OUTPUT else IDENTIFIER,
        "AUTOUPDATE_EVENT": event.kind.name,
        "AUTOUPDATE_APP": event.app,
        "AUTOUPDATE_COMMIT": event.commit,
        "AUTOUPDATE_RELEASE": event.release,
        "AUTOUPDATE_STEP": event.step,
    }
    return [f"{name}={value}" for name, value in fields.items() if value]


def goes_to_journal(descriptor: int) -> bool:
    """Return whether a descriptor is connected to the journal (systemd.exec(5), JOURNAL_STREAM).

    What is logged must then not be printed, too.
    """
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def say(line: str) -> None:
    """Print a line for people on standard error, unless its terminal was closed."""
    with suppress(OSError):
        print(printable(line), file=sys.stderr, flush=True)
