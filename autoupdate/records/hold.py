"""hold: the administrator's word that nothing is to be updated for a while.

A run then finishes or undoes what was interrupted, and does nothing else. Nobody is to blame, and
services start on what is there.
"""

from typing import NamedTuple

from autoupdate.app import App, Outcome
from autoupdate.host.links import linked_release
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from autoupdate.records.records import Store


class Hold(NamedTuple):
    """Since when and until when (RFC 3339 UTC; empty: until it is lifted) there are no updates."""

    since: str
    until: str
    reason: str


def read(store: Store) -> Hold | None:
    """Return the last hold that was not lifted, even if its end has come."""
    rows = store.rows("SELECT since, until, reason FROM hold")
    return Hold(*rows[0]) if rows else None


def find(store: Store, now: str) -> Hold | None:
    """Return the hold that is in force; one whose end has come is none any more."""
    found = read(store)
    return found if found and (not found.until or now < found.until) else None


def put(store: Store, hold: Hold) -> None:
    """Begin a hold, in place of an earlier one."""
    store.write("INSERT OR REPLACE INTO hold VALUES (1, ?, ?, ?)", hold)


def lift(store: Store) -> None:
    """End a hold."""
    store.write("DELETE FROM hold")


def held(app: App) -> Outcome | None:
    """Return how a run ends while there is a hold; None without one."""
    hold = find(app.store, app.clock.now())
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
