"""Moments as people type them, for `--until` and `--since`."""

import re

from autoupdate.config import values
from autoupdate.model.times import write

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}")
DATE_AND_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?"
)

YEAR_10000 = 253_402_300_800


def read(text: str, now: float, *, direction: int) -> str:
    """Return a moment, RFC 3339 in UTC; a time span lies after now (1) or before it (-1).

    A date is its first minute, and what has no zone is meant in the host's. Seconds since 1970 are
    `now`. Raises ValueError with what is wrong.
    """
    text = text.strip()
    if DATE.fullmatch(text) or DATE_AND_TIME.fullmatch(text):
        return write(_calendar(text))
    try:
        moment = now + direction * values.duration(text)
    except ValueError:
        moment = -1
    # What has five digits of a year cannot be compared as text.
    if not 0 <= moment < YEAR_10000:
        raise ValueError(f'"{text}" is no moment, such as 2026-12-24, "2026-12-24 18:00" or 2d')
    return write(moment)


def _calendar(text: str) -> float:
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f'"{text}" is not in the calendar') from None
