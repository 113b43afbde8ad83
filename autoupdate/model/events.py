"""All kinds of events: name, MESSAGE_ID (see units/catalog), priority."""

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of event; priorities are those of syslog(3).

    `told_as` is its name in `notify.events`; without one, the event is only logged.
    """

    name: str
    message_id: str
    priority: int
    told_as: str = ""


class Event(NamedTuple):
    """One event: a message for people, and fields for programs."""

    kind: Kind
    message: str
    app: str = ""
    commit: str = ""
    release: str = ""
    step: str = ""


ERROR, WARNING, NOTICE, INFO, DEBUG = 3, 4, 5, 6, 7

CURRENT = Kind("current", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a801", INFO)
CANDIDATE = Kind("candidate", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a802", INFO)
STEP = Kind("step", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a803", INFO)
OUTPUT = Kind("output", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a804", DEBUG)
STASHED = Kind("stashed", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a805", WARNING)
UPDATED = Kind("updated", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a806", NOTICE)
CONFIRMED = Kind("confirmed", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a807", INFO, "updated")
FAILED = Kind("failed", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a808", ERROR, "failed")
ROLLED_BACK = Kind("rolled-back", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a809", ERROR, "rolled-back")
BROKEN = Kind("broken", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a80a", 2, "failed")
DEFERRED = Kind("deferred", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a80b", NOTICE)
RECOVERED = Kind("recovered", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a80c", NOTICE)
BLOCKED = Kind("blocked", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a80d", ERROR, "blocked")
STARTED_OLD = Kind("started-old", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a80e", WARNING)
UNMANAGED = Kind("unmanaged", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a80f", NOTICE)
NO_SUPERVISOR = Kind("no-supervisor", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a810", WARNING)
REFUSED = Kind("refused", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a830", ERROR, "refused")
UNSIGNED = Kind("unsigned", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a831", WARNING, "unsigned")
UNTRUSTED = Kind("untrusted", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a832", ERROR, "untrusted")
NO_CANDIDATE = Kind("no-candidate", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a833", WARNING)
MIRROR_RENEWED = Kind("mirror-renewed", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a812", WARNING)
STATE_RENEWED = Kind("state-renewed", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a813", WARNING)
ADOPTED = Kind("adopted", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a860", NOTICE)
GIVEN_BACK = Kind("given-back", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a861", NOTICE)
LOG_UNWRITABLE = Kind("log-unwritable", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a811", WARNING)
LEFT_OUT = Kind("submodules-left-out", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a822", NOTICE)
OUTSIDE_LINKS = Kind("outside-links", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a823", WARNING)
UNCONFINED = Kind("unconfined", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a821", NOTICE)
REHEARSED = Kind("rehearsal-warning", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a820", WARNING)
WORKS_AGAIN = Kind("works-again", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a840", NOTICE, "recovered")
STALE = Kind("stale", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a841", ERROR, "stale")
QUARANTINED = Kind("quarantined", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a842", WARNING, "quarantined")
HELD_TOO_LONG = Kind("held-too-long", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a843", WARNING, "held-too-long")
NOT_DELIVERED = Kind("not-delivered", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a844", WARNING)
LOST_UNIT = Kind("lost-unit", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a847", WARNING)
STEERED = Kind("steered", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a850", NOTICE)
HOOK_FAILED = Kind("hook-failed", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a845", ERROR)
METRICS_UNWRITABLE = Kind("metrics-unwritable", "0ef71e7c5a9b4f0c9d6c1b1fd3a5a846", WARNING)
