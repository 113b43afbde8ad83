"""No update may be interrupted; the next run finishes or undoes one that is."""

from collections.abc import Iterator

from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import Finding, rest_of
from autoupdate.host.runtime_files import is_running
from autoupdate.host.services import confirm_unit


def interruption(case: Case) -> Iterator[Finding]:
    """Check whether an update ended without a verdict."""
    unfinished = case.records.unfinished() if case.records else None
    mend = (rest_of(case.settings.app),)
    if unfinished and unfinished.step == "probation":
        unit = case.host.unit(confirm_unit(case.settings.app))
        watched = unit.get("ActiveState") in ("active", "activating")
        if not watched and not is_running(case.app):
            yield Finding(
                "update", "the new release serves, but nobody watches it", mend, asks=True
            )
    elif unfinished:
        yield Finding("update", f"is running, or was interrupted in step {unfinished.step}", mend,
                      asks=True)  # fmt: skip
