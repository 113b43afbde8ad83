"""Windows: the weekly times at which releases may be switched; pure, without effects.

A window is open while the clocks of its time zone show a time in it. In the hour that is skipped
in spring it does not open on that day, and in the hour that is repeated in autumn it opens twice:
no release is switched at a time of day that is not allowed.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FORM = re.compile(
    r"(?:(?P<days>[A-Za-z][A-Za-z.,]*) +)?"
    r"(?P<begins>[0-9]{2}:[0-9]{2}) ?- ?(?P<ends>[0-9]{2}:[0-9]{2})"
    r"(?: +(?P<zone>[A-Za-z][A-Za-z0-9_+/-]*))?"
)
EXAMPLE = 'is not a window, such as "Mon..Fri 02:00-05:00 Europe/Berlin"'
MINUTE = 60
DAY = 24 * 60
# A weekly window in the hour that is skipped in spring opens a week later.
LONGEST_LOOK = 15 * DAY
# Hosts with the same window must not all start in its first second.
WIDEST_SPREAD = 10 * MINUTE


class Window(NamedTuple):
    """One window: weekdays on which it begins (Monday is 0), minutes of the day, and time zone.

    It lasts over midnight if `ends` is less than `begins`. An empty zone is the host's own.
    """

    days: frozenset[int]
    begins: int
    ends: int
    zone: str


def parse(text: str) -> Window:
    """Parse a window of `windows.allowed`. Raises ValueError with what is wrong."""
    match = FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text}" {EXAMPLE}')
    begins, ends = _minute(match["begins"]), _minute(match["ends"])
    if begins in (DAY, ends):
        raise ValueError(f'"{text}" is never open; a whole day is 00:00-24:00')
    zone = match["zone"] or ""
    if zone:
        _find_zone(zone)
    return Window(_days(match["days"] or "Mon..Sun"), begins, ends, zone)


def is_open(windows: Sequence[Window], moment: float) -> bool:
    """Return whether one of some windows is open at a moment, in seconds since 1970."""
    return any(_is_in(window, moment) for window in windows)


def fault(allowed: Sequence[str]) -> str:
    """Return what is wrong with `windows.allowed`; empty if nothing is."""
    for text in allowed:
        try:
            parse(text)
        except ValueError as error:
            return f"windows.allowed: {error}"
    return ""


def are_closed(allowed: Sequence[str], moment: float) -> bool:
    """Return whether windows are set (`windows.allowed`), and none of them is open.

    If one of them is not valid, they are closed.
    """
    if fault(allowed):
        return True
    return bool(allowed) and not is_open([parse(text) for text in allowed], moment)


def next_opening(windows: Sequence[Window], moment: float) -> float | None:
    """Return the first full minute after a moment at which a window is open.

    None if no window opens within two weeks.
    """
    first = (int(moment) // MINUTE + 1) * MINUTE
    # Every minute is tried: clocks change at a full minute in every zone.
    minutes = range(first, first + LONGEST_LOOK * MINUTE, MINUTE)
    return next((float(minute) for minute in minutes if is_open(windows, minute)), None)


def spread(windows: Sequence[Window], opening: float) -> float:
    """Return over how many seconds after an opening runs are spread: half of the window."""
    length = 0
    while length < 2 * WIDEST_SPREAD and is_open(windows, opening + length):
        length += MINUTE
    return length / 2


def _is_in(window: Window, moment: float) -> bool:
    from datetime import datetime

    zone = _find_zone(window.zone) if window.zone else None
    shown = datetime.fromtimestamp(moment, zone)
    minute, today = shown.hour * 60 + shown.minute, shown.weekday()
    if window.begins < window.ends:
        return today in window.days and window.begins <= minute < window.ends
    yesterday = (today - 1) % 7
    return (today in window.days and minute >= window.begins) or (
        yesterday in window.days and minute < window.ends
    )


def _minute(text: str) -> int:
    hours, minutes = int(text[:2]), int(text[3:])
    if minutes > 59 or hours * 60 + minutes > DAY:
        raise ValueError(f"{text} is not a time of day")
    return hours * 60 + minutes


def _days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.split(","):
        first, dots, last = part.partition("..")
        begin = _weekday(first)
        length = (_weekday(last) - begin) % 7 if dots else 0
        days |= {(begin + number) % 7 for number in range(length + 1)}
    return frozenset(days)


def _weekday(name: str) -> int:
    found = [number for number, day in enumerate(WEEKDAYS) if name.lower() == day]
    if not found:
        raise ValueError(f'"{name}" is not a weekday (Mon, Tue, Wed, Thu, Fri, Sat, Sun)')
    return found[0]


def _find_zone(name: str) -> "ZoneInfo":
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f'"{name}" is not a time zone of this host; to list them: timedatectl list-timezones'
        ) from None
