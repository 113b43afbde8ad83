"""Conditions that last and reports that were made, so that several runs know of them."""

from typing import NamedTuple

from autoupdate.records.records import Records


class Remembered(NamedTuple):
    """A condition that lasts, or a report that was made: what it is about, and since when."""

    name: str
    about: str
    since: str


def recall(records: Records, name: str) -> Remembered | None:
    """Return what is remembered under a name."""
    rows = records.rows("SELECT name, about, since FROM remembered WHERE name = ?", [name])
    return Remembered(*rows[0]) if rows else None


def keep(records: Records, name: str, about: str, since: str) -> None:
    """Remember something, in place of what was known under that name."""
    records.write("INSERT OR REPLACE INTO remembered VALUES (?, ?, ?)", [name, about, since])


def forget(records: Records, *names: str) -> None:
    """Forget what is remembered under some names."""
    for name in names:
        if recall(records, name):
            records.write("DELETE FROM remembered WHERE name = ?", [name])
