"""The high-water mark: the newest commit that was ever confirmed on this host.

A candidate is compared with it, not with the current release, which is older after a rollback.
"""

from typing import NamedTuple

from autoupdate.records.records import Records


class HighWater(NamedTuple):
    """A confirmed commit, the tag by which it was chosen, if any, and when it was confirmed."""

    commit: str
    tag: str
    at: str


def read(records: Records) -> HighWater | None:
    """Return the mark; None before the first confirmed release."""
    rows = records.rows('SELECT "commit", tag, at FROM high_water')
    return HighWater(*rows[0]) if rows else None


def write(records: Records, mark: HighWater) -> None:
    """Set the mark."""
    records.write("INSERT OR REPLACE INTO high_water VALUES (1, ?, ?, ?)", mark)
