"""Whether there is space for another release, estimated from earlier ones."""

from collections.abc import Sequence

from autoupdate.model.errors import HostFaultError
from autoupdate.records.rows import Release
from autoupdate.worker.building import Plan

# In bytes: what the log, the state and running services need meanwhile.
RESERVE = 64 * 1024 * 1024
GROWTH = 1.25


def needed(releases: Sequence[Release], plan: Plan) -> int:
    """Return the bytes that a build may need: those of the newest similar one, and some more."""
    alike = [item.bytes for item in releases if item.environment == plan.environment]
    if plan.reused and alike:
        return RESERVE + int(GROWTH * alike[-1])
    return RESERVE + int(GROWTH * max((item.bytes for item in releases), default=0))


def check_space(releases: Sequence[Release], plan: Plan) -> None:
    """Raise HostFaultError if the next release may not fit on the disk."""
    wanted = needed(releases, plan)
    if plan.free < wanted:
        raise HostFaultError(
            f"not enough space for another release: {wanted >> 20} MiB may be needed,"
            f" {plan.free >> 20} MiB are free",
            "free some space, or lower keep",
        )
