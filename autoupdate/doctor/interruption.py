"""No update may be interrupted; the next run finishes or undoes one that is."""

from collections.abc import Iterator

from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import Finding, rest_of
from autoupdate.host.runtime_files import is_running
from autoupdate.host.services import confirm_unit


def interruption(case: Case) -> Iterator[Finding]:
    """Check whether an update ended without a verdict; one that is under way has none yet."""
    unfinished = case.records.unfinished() if case.records else None
    if unfinished is None or is_running(case.app):
        return
    mend = (rest_of(case.settings.app),)
    if unfinished.step != "probation":
        yield Finding("update", f"was interrupted in step {unfinished.step}", mend, asks=True)
        return
    unit = case.host.unit(confirm_unit(case.settings.app))
    if unit.get("ActiveState") not in ("active", "activating"):
        yield Finding("update", "the new release serves, but nobody watches it", mend, asks=True)
