"""The old directories that adoptions kept, and when each of them may be removed."""

import os
from typing import NamedTuple

from autoupdate.host.unit_files import entries
from autoupdate.model.steps import Result
from autoupdate.model.times import seconds
from autoupdate.records.records import Records

MARK = ".before-autoupdate-"
DAYS = 7


class Kept(NamedTuple):
    """An old directory: since when (RFC 3339), and why it must be kept; empty if it need not be."""

    directory: str
    since: str
    must_stay: str


def kept_directories(path: str, records: Records | None, now: str) -> list[Kept]:
    """Return the old directories next to a path.

    One may be removed a week after its adoption, if an update was made since: until then somebody
    may miss something that only the old directory has.
    """
    above, name = os.path.split(path)
    stamps = [entry.removeprefix(f"{name}{MARK}") for entry in entries(above)
              if entry.startswith(f"{name}{MARK}")]  # fmt: skip
    return [
        Kept(f"{path}{MARK}{stamp}", moment(stamp), must_stay(records, moment(stamp), now))
        for stamp in stamps
        if len(stamp) == 14 and stamp.isdecimal()
    ]


def moment(stamp: str) -> str:
    """Return the time in the name of a kept directory, as RFC 3339 in UTC."""
    day = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}"
    return f"{day}T{stamp[8:10]}:{stamp[10:12]}:{stamp[12:]}Z"


def must_stay(records: Records | None, since: str, now: str) -> str:
    """Return why a directory that is kept since then must still be kept, or nothing."""
    left = DAYS * 24 * 3600 - (seconds(now) - seconds(since))
    if left > 0:
        return f"it is kept for {DAYS} days"
    # The adoption itself ends later than the moment that the directory is named after.
    query = "SELECT 1 FROM transactions WHERE result = ? AND \"trigger\" <> 'adopt'"
    if records is None or not records.rows(f"{query} AND finished_at > ?", [Result.UPDATED, since]):
        return "no update was made since then"
    return ""
