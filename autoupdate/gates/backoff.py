"""When a commit that could not be deployed is tried again; pure.

Only failures that are not the commit's fault are counted: upstream or the package index is
unreachable, no space, a reboot during the update. The wait doubles with each failure of the same
commit; a newer commit is tried at once.
"""

from autoupdate.model.times import seconds
from autoupdate.records.rows import Attempts

FIRST_WAIT = 30.0
LONGEST_WAIT = 6 * 3600.0
# Shorter, because the service that waits for the update is down meanwhile.
LONGEST_WAIT_OF_A_START = 60.0
MOST_DOUBLINGS = 10
# A host that reboots during an update tries again at once, but only this often.
FREE_INTERRUPTIONS = 3
# After this many failures of the host the commit is put into quarantine, like a bad one.
MOST_HOST_FAULTS = 5


def wait_after(attempts: Attempts) -> float:
    """Return the seconds to wait after the last attempt."""
    counted = attempts.failed + max(0, attempts.interrupted - FREE_INTERRUPTIONS)
    doublings = min(counted - 1, MOST_DOUBLINGS)
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0**doublings) if counted else 0.0


def seconds_left(attempts: Attempts, now: str, longest: float = LONGEST_WAIT) -> float:
    """Return the seconds that are left to wait; a clock that was set back ends the wait."""
    passed = seconds(now) - seconds(attempts.last_at)
    return max(0.0, min(longest, wait_after(attempts)) - passed) if passed >= 0 else 0.0
