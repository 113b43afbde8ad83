"""Times as people type them, for `--until` and `--since`."""

import re

from autoupdate.config import values
from autoupdate.model.times import write

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}")
DATE_AND_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?"
)

YEAR_10000 = 253_402_300_800


def read(text: str, now: float, *, direction: int) -> str:
    """Return a time as RFC 3339 in UTC; a time span counts from now on (1) or backwards (-1).

    A date means its first minute; a time without a zone is in the host's zone. `now` is in seconds
    since 1970. Raises ValueError with the reason.
    """
    text = text.strip()
    if DATE.fullmatch(text) or DATE_AND_TIME.fullmatch(text):
        return write(_calendar(text))
    try:
        moment = now + direction * values.duration(text)
    except ValueError:
        moment = -1
    # Records compare times as text, which needs years of four digits.
    if not 0 <= moment < YEAR_10000:
        raise ValueError(
            f'"{text}" is not a time; examples: 2026-12-24, "2026-12-24 18:00", 2d (two days)'
        )
    return write(moment)


def _calendar(text: str) -> float:
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f'"{text}" is not a valid date or time') from None
