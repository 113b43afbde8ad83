"""Times for people, in several time zones, and by a clock that was set."""

import pytest

from autoupdate.cli.render.layout import wrapped
from autoupdate.cli.render.when import ago, in_text, until
from tests.unit.cli.conftest import SetZone

NOW = "2026-11-28T21:45:00Z"
BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (NOW, "0 s ago (21:45)"),
        ("2026-11-28T21:44:01Z", "59 s ago (21:44)"),
        ("2026-11-28T21:44:00Z", "1 min ago (21:44)"),
        ("2026-11-28T21:42:00Z", "3 min ago (21:42)"),
        ("2026-11-28T20:45:01Z", "59 min ago (20:45)"),
        ("2026-11-28T20:45:00Z", "1 h ago (20:45)"),
        ("2026-11-27T21:45:01Z", "23 h ago (21:45)"),
        ("2026-11-27T21:45:00Z", "1 day ago (2026-11-27 21:45)"),
        ("2026-11-26T21:42:00Z", "2 days ago (2026-11-26 21:42)"),
        ("2020-01-01T00:00:00Z", "2,523 days ago (2020-01-01 00:00)"),
        # Younger than `now`, as it was recorded in between.
        ("2026-11-28T21:45:59Z", "0 s ago (21:45)"),
        ("some day", "some day"),
    ],
)
def test_past(in_zone: SetZone, moment: str, said: str) -> None:
    assert ago(moment, NOW) == said


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("2026-11-28T23:45:00Z", "in 2 h (23:45)"),
        ("2026-11-28T21:45:01Z", "in 1 s (21:45)"),
        ("2026-11-30T23:42:00Z", "in 2 days (2026-11-30 23:42)"),
        (NOW, "0 s ago (21:45)"),
        ("2026-11-28T21:42:00Z", "3 min ago (21:42)"),
        ("", ""),
    ],
)
def test_future(in_zone: SetZone, moment: str, said: str) -> None:
    assert until(moment, NOW) == said


def test_clock_that_was_set_back(in_zone: SetZone) -> None:
    assert ago("2026-11-28T21:46:01Z", NOW) == "2026-11-28 21:46 (the clock was set back)"
    in_zone(BERLIN)
    assert ago("2027-06-01T12:00:00Z", NOW) == "2027-06-01 14:00 (the clock was set back)"


def test_time_zone_of_the_host(in_zone: SetZone) -> None:
    in_zone(BERLIN)
    assert ago("2026-11-28T21:42:00Z", NOW) == "3 min ago (22:42)"
    assert until("2026-11-28T23:45:00Z", NOW) == "in 2 h (00:45)"
    # Summer time ended in between.
    assert ago("2026-10-24T23:30:00Z", "2026-10-25T01:30:00Z") == "2 h ago (01:30)"
    in_zone("IST-5:30")
    assert ago("2026-11-26T21:42:00Z", NOW) == "2 days ago (2026-11-27 03:12)"


def test_times_in_a_sentence(in_zone: SetZone) -> None:
    in_zone(BERLIN)
    said = "the next one opens at 2026-11-29T03:00:00Z; release 20261128T010203Z-0123456789ab waits"
    assert in_text(said) == (
        "the next one opens at 2026-11-29 04:00; release 20261128T010203Z-0123456789ab waits"
    )
    assert in_text("at 2026-13-29T03:00:00Z") == "at 2026-13-29T03:00:00Z"


@pytest.mark.parametrize(
    "moment", ["3 min ago (21:42)", "2 days ago (2026-11-26 21:42)", "in 2 h (23:45)",
               "2026-11-29 04:00"],
)  # fmt: skip
def test_time_is_not_broken(moment: str) -> None:
    for width in range(len(moment), 60):
        lines = wrapped(f"the next one opens {moment} and then", width)
        assert any(moment in line for line in lines), lines
        assert " ".join(lines) == f"the next one opens {moment} and then"
