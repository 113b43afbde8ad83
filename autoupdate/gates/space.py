"""Whether there is space for one more release: estimated from the ones before."""

from collections.abc import Sequence

from autoupdate.model.errors import HostFaultError
from autoupdate.records.rows import Release
from autoupdate.worker.client import Plan

# What the log, the state and a running service need at the same time.
RESERVE = 64 * 1024 * 1024
GROWTH = 1.25


def needed(releases: Sequence[Release], plan: Plan) -> int:
    """Return the bytes that a build may take: as the newest one like it, and a little more."""
    alike = [item.bytes for item in releases if item.environment == plan.environment]
    if plan.reused and alike:
        return RESERVE + int(GROWTH * alike[-1])
    return RESERVE + int(GROWTH * max((item.bytes for item in releases), default=0))


def check_space(releases: Sequence[Release], plan: Plan) -> None:
    """Raise HostFaultError when the next release may not fit."""
    wanted = needed(releases, plan)
    if plan.free < wanted:
        raise HostFaultError(
            f"too little space for another release: {wanted >> 20} MiB may be needed,"
            f" {plan.free >> 20} MiB are free",
            "free some space, or set a smaller keep",
        )
