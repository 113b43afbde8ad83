"""The user _autoupdate must exist: builds run as this user."""

from collections.abc import Iterator

from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import Finding, command


def account(case: Case) -> Iterator[Finding]:
    """Check the user of builds."""
    if not case.host.has_builder():
        yield Finding("user", "there is no user _autoupdate", (command("systemd-sysusers"),))
