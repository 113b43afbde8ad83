"""Writes events to the journal, with their fields, and to the log file that users know."""

import os
import sys
import time
from typing import Protocol

from autoupdate.events import DEBUG, LOG_UNWRITABLE, Event

IDENTIFIER = "autoupdate"


class Log(Protocol):
    """Where events go."""

    def write(self, event: Event) -> None:
        """Record one event."""


class HostLog:
    """The journal (systemd.journal-fields(7)) and the log file."""

    def __init__(self, file: str) -> None:
        self.file = file

    def write(self, event: Event) -> None:
        """Record one event in both; output of builds goes to the journal alone.

        A file that cannot be written must not stop an update: the journal is told.
        """
        to_journal(event)
        if event.kind.priority >= DEBUG:
            return
        try:
            append_line(self.file, event.message)
        except OSError as error:
            to_journal(Event(LOG_UNWRITABLE, f"cannot write {self.file}: {error.strerror}"))


def append_line(file: str, message: str) -> None:
    """Append one line with the local time to the log file. Raises OSError."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    line = f"[{stamp}] {printable(message)}\n".encode()
    # Opened for each line, so that logrotate may take the file away at any time.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(file, flags, 0o640)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def printable(text: str) -> str:
    """Escape what could begin another line or move a cursor; upstream has a say in messages."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def to_journal(event: Event) -> None:
    """Send one event to the journal; without a journal (a container) nothing happens."""
    try:
        # systemd.journal itself imports ten times as much, on the path of every service start.
        from systemd._journal import sendv
    except ImportError:
        return
    fields = {
        "MESSAGE": event.message,
        "MESSAGE_ID": event.kind.message_id,
        "PRIORITY": str(event.kind.priority),
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        "AUTOUPDATE_EVENT": event.kind.name,
        "AUTOUPDATE_APP": event.app,
        "AUTOUPDATE_COMMIT": event.commit,
        "AUTOUPDATE_RELEASE": event.release,
        "AUTOUPDATE_STEP": event.step,
    }
    sendv(*(f"{name}={value}".encode(errors="replace") for name, value in fields.items() if value))


def goes_to_journal(descriptor: int) -> bool:
    """Tell whether systemd connected a descriptor to the journal (JOURNAL_STREAM, systemd.exec(5)).

    What is logged must not be printed there as well.
    """
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def say(line: str) -> None:
    """Print a line for people on standard error."""
    print(printable(line), file=sys.stderr, flush=True)
