"""When each commit was first seen upstream: its age, without relying on dates in the commit."""

from autoupdate.model.times import seconds
from autoupdate.records.records import Records


def note(records: Records, commit: str, at: str) -> None:
    """Record when a commit was first seen upstream; later calls change nothing."""
    records.write("INSERT OR IGNORE INTO first_seen VALUES (?, ?)", [commit, at])


def find(records: Records, commit: str) -> int:
    """Return when a commit was first seen upstream, in seconds since 1970; zero for never."""
    rows = records.rows('SELECT at FROM first_seen WHERE "commit" = ?', [commit])
    return seconds(rows[0][0]) if rows else 0
