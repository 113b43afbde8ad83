"""There must be space, and an inode, for one more release."""

import os
from collections.abc import Iterator

from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import Finding
from autoupdate.gates.space import check_space
from autoupdate.model.errors import HostFaultError
from autoupdate.worker.building import Plan


def space(case: Case) -> Iterator[Finding]:
    """Check the file system of the state."""
    if case.records is None:
        return
    facts = os.statvfs(case.app.home)
    free = facts.f_bavail * facts.f_frsize
    try:
        check_space(case.records.releases(), Plan("", "", False, free, ""))
    except HostFaultError as error:
        yield Finding("space", error.message, advice=f"{error.advice}: du -xhd1 {case.app.home}")
    if facts.f_files and not facts.f_favail:
        yield Finding("space", f"no free inode in {case.app.home}", advice=f"df -i {case.app.home}")
