"""hold: the administrator has stopped updates for a while.

A run then only finishes or undoes an interrupted one. This is not a failure, and services start
on the current release.
"""

from autoupdate.app import App, Outcome
from autoupdate.host.links import linked_release
from autoupdate.model.commits import kept
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from autoupdate.records.hold import Hold, find


def held(app: App) -> Outcome | None:
    """Return the outcome of a run during a hold; None without a hold."""
    hold = find(app.records, app.clock.now())
    if hold is None:
        return None
    release = linked_release(app.paths.current)
    reason = f"{app.name}: on hold {in_words(hold)}; {kept(release)}"
    advice = f"to end it: autoupdatectl unhold {app.name}"
    return Outcome(Result.DEFERRED, Exit.DONE, reason, "", release, advice)


def in_words(hold: Hold) -> str:
    """Return since when, until when and why there is a hold."""
    why = f": {hold.reason}" if hold.reason else ""
    return f"since {hold.since}, {end_in_words(hold)}{why}"


def end_in_words(hold: Hold) -> str:
    """Return until when a hold lasts."""
    return f"until {hold.until}" if hold.until else "until unhold"
