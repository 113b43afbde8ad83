"""When a commit that could not be brought in is tried again; pure.

Only what is not the commit's fault is counted here: upstream or the package index out of reach,
no space, a reboot in the middle. The wait grows with each failure of the same commit; a newer
commit starts afresh.
"""

from autoupdate.model.times import seconds
from autoupdate.records.rows import Attempts

FIRST_WAIT = 30.0
LONGEST_WAIT = 6 * 3600.0
# A service that waits for the update is down meanwhile.
LONGEST_WAIT_OF_A_START = 60.0
MOST_DOUBLINGS = 10
# A host that reboots in the middle of an update tries again at once, but not for ever.
FREE_INTERRUPTIONS = 3
# As often as this the host itself may fail; then the commit is put away like a bad one.
MOST_HOST_FAULTS = 5


def wait_after(attempts: Attempts) -> float:
    """Return how many seconds to wait after the last attempt."""
    counted = attempts.failed + max(0, attempts.interrupted - FREE_INTERRUPTIONS)
    doublings = min(counted - 1, MOST_DOUBLINGS)
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0**doublings) if counted else 0.0


def seconds_left(attempts: Attempts, now: str, longest: float = LONGEST_WAIT) -> float:
    """Return how many seconds are left to wait; a clock that was set back ends the wait."""
    passed = seconds(now) - seconds(attempts.last_at)
    return max(0.0, min(longest, wait_after(attempts)) - passed) if passed >= 0 else 0.0
