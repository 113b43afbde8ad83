"""The log file that users know, and the journal."""

import os
import re
import sys
from pathlib import Path

import pytest
from systemd import _journal

from autoupdate.host.log import MOST_OUTPUT, HostLog, goes_to_journal
from autoupdate.host.log_sinks import append_line
from autoupdate.model.events import CURRENT, FAILED, OUTPUT, UPDATED, Event
from tests.unit.conftest import Journal

LINE = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] (.*)")


def messages(file: Path) -> list[str]:
    """Return the messages of a log file; every line must have the documented form."""
    matches = [LINE.fullmatch(line) for line in file.read_text().split("\n")[:-1]]
    assert all(matches)
    return [match[1] for match in matches if match]


def test_both_sinks(tmp_path: Path, journal: Journal) -> None:
    file = tmp_path / "auto-update.log"
    message = "Successfully updated to commit: abc"
    HostLog(str(file)).write(Event(UPDATED, message, "demo", "abc", "r1", "activate"))
    assert messages(file) == [message]
    assert journal.entries == [
        {
            "MESSAGE": message,
            "MESSAGE_ID": UPDATED.message_id,
            "PRIORITY": "5",
            "SYSLOG_IDENTIFIER": "autoupdate",
            "AUTOUPDATE_EVENT": "updated",
            "AUTOUPDATE_APP": "demo",
            "AUTOUPDATE_COMMIT": "abc",
            "AUTOUPDATE_RELEASE": "r1",
            "AUTOUPDATE_STEP": "activate",
        }
    ]


def test_a_journal_that_does_not_answer_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while systemd-journald is stopped, or restarts."""

    def refuse(*_: bytes) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(_journal, "sendv", refuse)
    HostLog(f"{tmp_path}/log").write(Event(CURRENT, "up to date"))
    assert messages(tmp_path / "log") == ["up to date"]


def test_empty_values_make_no_fields(tmp_path: Path, journal: Journal) -> None:
    HostLog(f"{tmp_path}/log").write(Event(CURRENT, "up to date"))
    assert not {name for name in journal.entries[0] if name.startswith("AUTOUPDATE_")} - {
        "AUTOUPDATE_EVENT"
    }


def test_output_goes_to_the_journal_alone_and_is_bounded(tmp_path: Path, journal: Journal) -> None:
    log = HostLog(f"{tmp_path}/log")
    for number in range(MOST_OUTPUT + 50):
        log.write(Event(OUTPUT, f"Collecting {number}", "web", release="r1"))
    log.write(Event(CURRENT, "up to date"))
    told = [entry["MESSAGE"] for entry in journal.entries]
    assert told[MOST_OUTPUT - 1 :] == [
        f"Collecting {MOST_OUTPUT - 1}",
        "the rest of the output is not in the journal: autoupdatectl show r1 --log web",
        "up to date",
    ]
    identifiers = [entry["SYSLOG_IDENTIFIER"] for entry in journal.entries]
    assert identifiers == [*["autoupdate-build"] * (MOST_OUTPUT + 1), "autoupdate"]
    assert messages(tmp_path / "log") == ["up to date"]


def test_rotation_between_two_lines(tmp_path: Path, journal: Journal) -> None:
    log, file = HostLog(f"{tmp_path}/log"), tmp_path / "log"
    log.write(Event(CURRENT, "one"))
    file.rename(tmp_path / "log.1")
    log.write(Event(CURRENT, "two"))
    assert messages(tmp_path / "log.1") == ["one"]
    assert messages(file) == ["two"]
    assert file.stat().st_mode & 0o007 == 0


@pytest.mark.parametrize("obstacle", ["directory", "no directory", "link"])
def test_file_that_cannot_be_written_is_reported_in_the_journal(
    tmp_path: Path, journal: Journal, obstacle: str
) -> None:
    file = tmp_path / "sub" / "log"
    if obstacle != "no directory":
        file.parent.mkdir()
    if obstacle == "directory":
        file.mkdir()
    elif obstacle == "link":
        file.symlink_to(tmp_path / "elsewhere")
    HostLog(str(file)).write(Event(FAILED, "no"))
    assert [entry["AUTOUPDATE_EVENT"] for entry in journal.entries] == ["failed", "log-unwritable"]
    assert not (tmp_path / "elsewhere").exists()


def test_no_journal_is_not_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # None in sys.modules makes the import fail.
    modules: dict[str, object] = vars(sys)["modules"]
    monkeypatch.setitem(modules, "systemd._journal", None)
    HostLog(f"{tmp_path}/log").write(Event(CURRENT, "one"))
    assert messages(tmp_path / "log") == ["one"]


@pytest.mark.parametrize(
    ("message", "written"),
    [
        (
            "file a\n[2026-01-01 00:00:00] Successfully updated to commit: x",
            r"file a\n[2026-01-01 00:00:00] Successfully updated to commit: x",
        ),
        ("\x1b[2Jgone\r\x9b", r"\x1b[2Jgone\r\x9b"),
        ("a\u2028b\u202ec", r"a\u2028b\u202ec"),
        ("tab\there", r"tab\there"),
        ("half of \udc80", r"half of \udc80"),
        ("Grüße \N{PARTY POPPER} C:\\new", "Grüße \N{PARTY POPPER} C:\\new"),
    ],
)
def test_message_cannot_forge_a_line_or_move_the_cursor(
    tmp_path: Path, message: str, written: str
) -> None:
    append_line(f"{tmp_path}/log", message)
    assert messages(tmp_path / "log") == [written]


def test_standard_error_that_is_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    status = os.fstat(descriptor)
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    assert not goes_to_journal(descriptor)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    assert goes_to_journal(descriptor)
    os.close(descriptor)
    assert not goes_to_journal(descriptor)
