"""The hold: since when, until when and why the administrator wants no updates (gates/hold.py)."""

from typing import NamedTuple

from autoupdate.records.records import Records


class Hold(NamedTuple):
    """Since when and until when (RFC 3339 UTC; empty: until it is lifted) there are no updates."""

    since: str
    until: str
    reason: str


def read(records: Records) -> Hold | None:
    """Return the last hold that was not lifted, even if it has expired."""
    rows = records.rows("SELECT since, until, reason FROM hold")
    return Hold(*rows[0]) if rows else None


def find(records: Records, now: str) -> Hold | None:
    """Return the hold that is in force; an expired one does not count."""
    found = read(records)
    return found if found and (not found.until or now < found.until) else None


def put(records: Records, hold: Hold) -> None:
    """Begin a hold, in place of an earlier one."""
    records.write("INSERT OR REPLACE INTO hold VALUES (1, ?, ?, ?)", hold)


def lift(records: Records) -> None:
    """End a hold."""
    records.write("DELETE FROM hold")
