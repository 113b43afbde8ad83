"""Alerts that need more than one run: updates work again, are stale, or are held back too long.

Checked after each run. What was reported is remembered, so that it is reported once.
"""

from autoupdate.app import App, Outcome
from autoupdate.model.commits import short
from autoupdate.model.errors import Exit
from autoupdate.model.events import HELD_TOO_LONG, QUARANTINED, STALE, WORKS_AGAIN
from autoupdate.model.steps import Result
from autoupdate.model.times import seconds
from autoupdate.records.hold import find as find_hold
from autoupdate.records.remembered import Remembered, forget, keep, recall

TROUBLE, BEHIND, CHECKED = "trouble", "behind", "checked"


def look(app: App, outcome: Outcome, started: str) -> None:
    """Report what a run that began at `started` means together with earlier runs."""
    tell_quarantined(app, started)
    if outcome.commit:
        keep(app.records, CHECKED, outcome.commit, started)
    if outcome.exit_code != Exit.DONE:
        if not recall(app.records, TROUBLE):
            keep(app.records, TROUBLE, outcome.reason, started)
        tell_stale(app, outcome, started)
    elif outcome.result in (Result.CURRENT, Result.UPDATED) and outcome.commit:
        # Without a commit, upstream was not asked.
        tell_works_again(app, outcome)
        forget(app.records, BEHIND, HELD_TOO_LONG.name, STALE.name)
    elif outcome.result is Result.DEFERRED:
        tell_held_too_long(app, outcome, started)


def tell_works_again(app: App, outcome: Outcome) -> None:
    """Report the first success after a failure."""
    trouble = recall(app.records, TROUBLE)
    if trouble:
        app.tell(WORKS_AGAIN, f"{app.name}: updates work again, after failures since"
                 f" {trouble.since}: {outcome.reason.removeprefix(f'{app.name}: ')}",
                 commit=outcome.commit, release=outcome.release)  # fmt: skip
        forget(app.records, TROUBLE)


def tell_stale(app: App, outcome: Outcome, now: str) -> None:
    """Report that there was no success for `notify.stale_after`; repeat it after the same time."""
    success, told = app.records.last_success_at(), recall(app.records, STALE.name)
    longest = app.settings.notify.stale_after
    since = max(filter(None, (success, told.since if told else "")), default="")
    if longest and success and passed(since, now) > longest:
        app.tell(STALE, f"{app.name}: no run has succeeded since {success}; the last one:"
                 f" {outcome.reason}")  # fmt: skip
        keep(app.records, STALE.name, success, now)


def tell_held_too_long(app: App, outcome: Outcome, now: str) -> None:
    """Report once that this host has been behind for longer than `windows.deadline`."""
    behind = recall(app.records, BEHIND)
    if behind is None:
        # The time counts from the first commit that waits, even if newer ones follow.
        hold, candidate = find_hold(app.records, now), app.records.candidate()
        if not hold and not outcome.commit:
            # No commit is known that waits.
            return
        waits = candidate is not None and candidate.commit == outcome.commit
        since = hold.since if hold else candidate.seen_at if candidate and waits else now
        behind = Remembered(BEHIND, outcome.commit, since)
        keep(app.records, *behind)
    deadline = app.settings.windows.deadline
    late = deadline and passed(behind.since, now) > deadline
    if late and not recall(app.records, HELD_TOO_LONG.name):
        app.tell(HELD_TOO_LONG, f"{app.name}: updates are held back since {behind.since}, longer"
                 " than windows.deadline allows:"
                 f" {outcome.reason.removeprefix(f'{app.name}: ')}",
                 commit=outcome.commit)  # fmt: skip
        keep(app.records, HELD_TOO_LONG.name, behind.about, now)


def tell_quarantined(app: App, started: str) -> None:
    """Report the commits that went into quarantine since the last report."""
    told = recall(app.records, QUARANTINED.name)
    new = [
        item
        for item in app.records.quarantined()
        if (item.since > told.since if told else item.since >= started)
    ]
    for item in new:
        app.tell(QUARANTINED, f"{app.name}: commit {short(item.commit)} is in quarantine, because"
                 f" {item.why}", commit=item.commit)  # fmt: skip
        keep(app.records, QUARANTINED.name, item.commit, item.since)


def passed(since: str, now: str) -> int:
    """Return the seconds between two moments."""
    return seconds(now) - seconds(since)
