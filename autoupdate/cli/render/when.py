"""Times for people: "3 min ago (21:42)", by the clock in the host's time zone.

The facts have RFC 3339 in UTC, which `--json` prints as it is. `now` has the same form.
"""

import re
import time

from autoupdate.model.times import seconds

MINUTE, HOUR, DAY = 60, 3600, 86400
RECORDED = re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def ago(moment: str, now: str) -> str:
    """Say when something happened: "3 min ago (21:42)", "2 days ago (2026-11-26 21:42)"."""
    try:
        age = seconds(now) - seconds(moment)
    except ValueError:
        # A record of an unknown form is shown as it is.
        return moment
    # The facts may be a moment younger than `now`.
    if age < -MINUTE:
        return f"{date_and_clock(moment)} (the clock was set back)"
    age = max(age, 0)
    return f"{rounded(age)} ago ({clock(moment, age)})"


def until(moment: str, now: str) -> str:
    """Say when something will happen: "in 2 h (23:42)"; what has happened, as `ago` does."""
    try:
        left = seconds(moment) - seconds(now)
    except ValueError:
        return moment
    return f"in {rounded(left)} ({clock(moment, left)})" if left > 0 else ago(moment, now)


def rounded(length: int) -> str:
    """Return a number of seconds in its largest unit, rounded down."""
    for unit, name in ((DAY, "day"), (HOUR, "h"), (MINUTE, "min")):
        if length >= unit:
            number = length // unit
            return f"{number:,} {name}{'s' if unit == DAY and number > 1 else ''}"
    return f"{length} s"


def clock(moment: str, distance: int) -> str:
    """Return the time of day of a moment; with the date if it is a day away or more."""
    full = date_and_clock(moment)
    return full if distance >= DAY else full.partition(" ")[2]


def date_and_clock(moment: str) -> str:
    """Return a moment as the clock of the host shows it: "2026-11-26 21:42"."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds(moment)))


def in_text(text: str) -> str:
    """Return a sentence with the times in it as the clock of the host shows them."""
    return RECORDED.sub(lambda found: _shown(found[0]), text)


def _shown(moment: str) -> str:
    try:
        return date_and_clock(moment)
    except ValueError:
        return moment
