"""hold: the administrator's word that nothing is to be updated for a while.

A run then finishes or undoes what was interrupted, and does nothing else. Nobody is to blame, and
services start on what is there.
"""

from autoupdate.app import App, Outcome
from autoupdate.host.links import linked_release
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from autoupdate.records.hold import Hold, find


def held(app: App) -> Outcome | None:
    """Return how a run ends while there is a hold; None without one."""
    hold = find(app.records, app.clock.now())
    if hold is None:
        return None
    release = linked_release(app.paths.current)
    reason = f"{app.name}: on hold {in_words(hold)}; release {release or 'none'} stays"
    advice = f"to end it: autoupdatectl unhold {app.name}"
    return Outcome(Result.DEFERRED, Exit.DONE, reason, "", release, advice)


def in_words(hold: Hold) -> str:
    """Say how long a hold lasts, and why it was made."""
    why = f": {hold.reason}" if hold.reason else ""
    return f"since {hold.since}, {end_in_words(hold)}{why}"


def end_in_words(hold: Hold) -> str:
    """Say how long a hold lasts."""
    return f"until {hold.until}" if hold.until else "until it is lifted"
