"""Where log lines end up: the log file that users know, and the journal."""

import os
import time


def append_line(file: str, message: str) -> None:
    """Append one line with the local time to the log file. Raises OSError."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    line = f"[{stamp}] {printable(message)}\n".encode()
    # Opened for each line, so that logrotate can rename the file at any time.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(file, flags, 0o640)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def printable(text: str) -> str:
    """Escape what could start a new line or move the cursor; messages contain upstream's text."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def send(fields: list[str]) -> None:
    """Send fields, each NAME=VALUE, to the journal; without one (a container) nothing happens.

    Nor if it does not answer: an update must not end for that, and the log file has the line, too.
    """
    try:
        # systemd.journal imports ten times as much, and every service start would wait for that.
        from systemd._journal import sendv
    except ImportError:
        return
    try:  # noqa: SIM105 - contextlib takes time, and every service start would wait for that
        sendv(*(field.encode(errors="replace") for field in fields))
    except OSError:
        pass
