"""Windows in which a release may be switched: how they are written, and when they are open."""

import time
from datetime import UTC, datetime

import pytest

from autoupdate.gates.calendar import (
    WIDEST_SPREAD,
    Window,
    are_closed,
    fault,
    is_open,
    next_opening,
    parse,
    spread,
)

MONDAY = "2026-11-23"


def at(text: str) -> float:
    """Return a time of day in UTC, such as "2026-11-23 02:00", in seconds since 1970."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def opening(text: str, after: str) -> str:
    """Return when a window opens next."""
    moment = next_opening([parse(text)], at(after))
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}" if moment else "never"


def open_minutes(text: str, first: str, last: str) -> list[str]:
    """Return the quarters of an hour in UTC at which a window is open between two moments."""
    windows = [parse(text)]
    moments = range(int(at(first)), int(at(last)), 900)
    return [f"{datetime.fromtimestamp(moment, UTC):%H:%M}"
            for moment in moments if is_open(windows, moment)]  # fmt: skip


def test_forms() -> None:
    weekdays = frozenset(range(5))
    assert parse("Mon..Fri 02:00-05:00 Europe/Berlin") == Window(
        weekdays, 120, 300, "Europe/Berlin"
    )
    assert parse("sat,SUN 00:00-24:00").days == {5, 6}
    assert parse("22:00-04:00 UTC") == Window(frozenset(range(7)), 1320, 240, "UTC")
    assert parse("Fri..Mon,Wed 01:00-02:00").days == {4, 5, 6, 0, 2}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("at night", "is not a window, such as"),
        ("Mon 2:00-5:00", "is not a window, such as"),
        ("Mon 02:00-05:00 Europe/Berlin daily", "is not a window, such as"),
        ("Mon 02:00-05:60", "05:60 is not a time of day"),
        ("Mon 02:00-24:01", "24:01 is not a time of day"),
        ("Mon 24:00-05:00", "never open"),
        ("Mon 02:00-02:00", "never open"),
        ("Monn 02:00-05:00", '"Monn" is not a weekday'),
        ("Mon..Xyz 02:00-05:00", '"Xyz" is not a weekday'),
        ("Mon..Fri..Sun 02:00-05:00", '"Fri..Sun" is not a weekday'),
        ("Mon,,Tue 02:00-05:00", '"" is not a weekday'),
        ("Mon 02:00-05:00 Europe/Atlantis", '"Europe/Atlantis" is not a time zone'),
        ("Mon 02:00-05:00 Europe", '"Europe" is not a time zone'),
        ("Mon 02:00-05:00 Europe/../UTC", "is not a window, such as"),
    ],
)
def test_what_is_not_a_window(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse(text)
    assert fault(["00:00-24:00", text]).startswith("windows.allowed: ")
    assert are_closed(["00:00-24:00", text], 0.0), "a window that is not valid is never open"


def test_the_end_is_not_in_the_window() -> None:
    window = [parse("Mon 02:00-05:00 UTC")]
    assert [is_open(window, at(f"{MONDAY} {clock}")) for clock in ("01:59", "02:00", "04:59")] == [
        False, True, True,
    ]  # fmt: skip
    assert not is_open(window, at(f"{MONDAY} 05:00"))
    assert not is_open(window, at("2026-11-24 02:00")), "a Tuesday"


def test_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    window = [parse("Fri 22:00-04:00 UTC")]
    assert is_open(window, at("2026-11-28 03:59")), "Saturday morning"
    assert not is_open(window, at("2026-11-27 03:59")), "Friday morning"
    assert opening("Fri 22:00-04:00 UTC", f"{MONDAY} 00:00") == "2026-11-27 22:00"


def test_next_opening() -> None:
    assert opening("Mon..Fri 02:00-05:00 Europe/Berlin", f"{MONDAY} 00:30") == f"{MONDAY} 01:00"
    assert opening("Mon 02:00-05:00 UTC", f"{MONDAY} 05:00") == "2026-11-30 02:00"
    both = [parse("Mon 02:00-05:00 UTC"), parse("Tue 01:00-02:00 UTC")]
    assert next_opening(both, at(f"{MONDAY} 05:00")) == at("2026-11-24 01:00")
    assert opening("Sat,Sun 00:00-24:00 UTC", f"{MONDAY} 12:00") == "2026-11-28 00:00"


def test_hour_that_is_skipped() -> None:
    """On 29 March 2026 the clocks of Berlin go from 02:00 to 03:00, at 01:00 UTC."""
    assert open_minutes("02:15-02:45 Europe/Berlin", "2026-03-29 00:00", "2026-03-29 12:00") == []
    assert opening("02:15-02:45 Europe/Berlin", "2026-03-28 12:00") == "2026-03-30 00:15"
    assert opening("Sun 02:15-02:45 Europe/Berlin", "2026-03-28 12:00") == "2026-04-05 00:15"
    # A window that begins in this hour opens at its end.
    assert opening("02:30-04:00 Europe/Berlin", "2026-03-29 00:00") == "2026-03-29 01:00"
    assert open_minutes("01:30-03:30 Europe/Berlin", "2026-03-29 00:00", "2026-03-29 12:00") == [
        "00:30", "00:45", "01:00", "01:15",
    ]  # fmt: skip


def test_hour_that_is_repeated() -> None:
    """On 25 October 2026 the clocks of Berlin go from 03:00 to 02:00, at 01:00 UTC."""
    assert open_minutes("02:15-02:45 Europe/Berlin", "2026-10-24 22:00", "2026-10-25 12:00") == [
        "00:15", "00:30", "01:15", "01:30",
    ]  # fmt: skip
    assert opening("02:15-02:45 Europe/Berlin", "2026-10-25 00:45") == "2026-10-25 01:15"
    assert open_minutes("02:00-03:00 Europe/Berlin", "2026-10-24 22:00", "2026-10-25 12:00") == [
        "00:00", "00:15", "00:30", "00:45", "01:00", "01:15", "01:30", "01:45",
    ]  # fmt: skip


def test_the_hosts_own_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert opening("Mon 02:00-05:00", f"{MONDAY} 00:00") == f"{MONDAY} 07:00"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_runs_are_spread_over_the_first_half() -> None:
    assert spread([parse("02:00-02:08 UTC")], at(f"{MONDAY} 02:00")) == 240
    assert spread([parse("02:00-05:00 UTC")], at(f"{MONDAY} 02:00")) == WIDEST_SPREAD
