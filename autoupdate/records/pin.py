"""The pin: the one commit that the administrator wants deployed (gates/pin.py)."""

from typing import NamedTuple

from autoupdate.records.records import Records


class Pin(NamedTuple):
    """The pinned commit, and since when it is pinned (RFC 3339 UTC)."""

    commit: str
    since: str


def find(records: Records) -> Pin | None:
    """Return the pin, if there is one."""
    rows = records.rows('SELECT "commit", since FROM pin')
    return Pin(*rows[0]) if rows else None


def put(records: Records, pin: Pin) -> None:
    """Pin a commit, in place of an earlier one; earlier failures of the commit are cleared."""
    with records.atomic():
        records.write("INSERT OR REPLACE INTO pin VALUES (1, ?, ?)", pin)
        records.forgive(pin.commit)


def remove(records: Records) -> None:
    """Remove the pin."""
    records.write("DELETE FROM pin")
