"""Programs must be executable in releases and environments."""

from collections.abc import Iterator

from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import Finding
from autoupdate.gates.runnable import allow_execution


def mounts(case: Case) -> Iterator[Finding]:
    """Check the mount options."""
    if mount := case.host.noexec(case.app):
        yield Finding(mount, f"is mounted noexec, so that no program in {case.app.home} can be"
                      " executed", advice=allow_execution(mount))  # fmt: skip
