"""When a commit that could not be deployed is tried again; pure.

Failures that are not the commit's fault (upstream or the package index is unreachable, no space, a
reboot during the update) are tried again soon. So is, after hours, what could not be built: the
index may have it by then. Each wait doubles with each failure of the same commit; a newer commit is
tried at once. Only what ran and failed stays in quarantine until a newer commit.
"""

from autoupdate.model.steps import Step
from autoupdate.model.times import seconds, write
from autoupdate.records.rows import Attempts, Quarantined

FIRST_WAIT = 30.0
LONGEST_WAIT = 6 * 3600.0
# Shorter, because the service that waits for the update is down meanwhile: with an attempt that is
# under way, the refusal and RestartSec=, it is up again within a minute after an outage.
LONGEST_WAIT_OF_A_START = 15.0
MOST_DOUBLINGS = 10
# A host that reboots during an update tries again at once, but only this often.
FREE_INTERRUPTIONS = 3
# After this many failures of the host the commit is put into quarantine, like a bad one.
MOST_HOST_FAULTS = 5
# For commits in quarantine that never ran, and for sets of dependencies.
FIRST_RETRY = 3600
LONGEST_RETRY = 24 * 3600
NEVER_RAN = (Step.FETCH, Step.VERIFY, Step.BUILD)


def wait_after(attempts: Attempts) -> float:
    """Return the seconds to wait after the last attempt."""
    counted = attempts.failed + max(0, attempts.interrupted - FREE_INTERRUPTIONS)
    doublings = min(counted - 1, MOST_DOUBLINGS)
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0**doublings) if counted else 0.0


def seconds_left(attempts: Attempts, now: str, longest: float = LONGEST_WAIT) -> float:
    """Return the seconds that are left to wait; a clock that was set back ends the wait."""
    passed = seconds(now) - seconds(attempts.last_at)
    return max(0.0, min(longest, wait_after(attempts)) - passed) if passed >= 0 else 0.0


def retry_after(tries: int) -> int:
    """Return the seconds until what could not be built so many times is tried again."""
    return min(LONGEST_RETRY, FIRST_RETRY << min(tries - 1, MOST_DOUBLINGS))


def retry_at(item: Quarantined) -> str:
    """Return when a commit in quarantine is tried again; empty for one that ran and failed."""
    if item.step not in NEVER_RAN:
        return ""
    return write(seconds(item.last_at or item.since) + retry_after(item.tries))


def is_waiting(last_at: str, tries: int, now: str) -> bool:
    """Return whether it is too early to try again; a clock that was set back ends the wait."""
    return 0 <= seconds(now) - seconds(last_at) < retry_after(tries)


def is_kept_out(item: Quarantined, now: str) -> bool:
    """Return whether a commit in quarantine is not tried now."""
    return item.step not in NEVER_RAN or is_waiting(item.last_at or item.since, item.tries, now)


def why_kept_out(item: Quarantined) -> str:
    """Say why a commit is in quarantine, and when it is tried again, if it is."""
    moment = retry_at(item)
    next_try = f"; it is tried again at {moment}" if moment else ""
    return f"{item.why}{next_try}"
