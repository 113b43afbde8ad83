"""The clock must be right: ages, holds and windows depend on it."""

from collections.abc import Iterator

from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import Finding, command


def clock(case: Case) -> Iterator[Finding]:
    """Check whether it is synchronised."""
    if not case.host.is_clock_right():
        yield Finding("clock", "is not synchronised",
                      (command("timedatectl", "set-ntp", "true"),), asks=True)  # fmt: skip
