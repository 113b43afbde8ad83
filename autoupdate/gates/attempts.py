"""earlier attempts: is a commit already deployed, or did it fail here?"""

import math

from autoupdate.app import App, Outcome
from autoupdate.config import applied
from autoupdate.gates.backoff import (
    LONGEST_WAIT,
    LONGEST_WAIT_OF_A_START,
    is_kept_out,
    seconds_left,
    why_kept_out,
)
from autoupdate.gates.runnable import is_usable
from autoupdate.host.links import linked_release
from autoupdate.model.commits import kept, short
from autoupdate.model.errors import Exit
from autoupdate.model.sizes import counted
from autoupdate.model.steps import Result, Step
from autoupdate.records.records import Records


def longest_wait(app: App, trigger: str) -> float:
    """Return the longest wait, in seconds, before a commit that failed is tried again."""
    blocks = app.settings.start.if_update_fails == "block"
    return LONGEST_WAIT_OF_A_START if trigger == "start" and blocks else LONGEST_WAIT


def nothing_to_do(app: App, commit: str, trigger: str, *, force: bool) -> Outcome | None:
    """Return why there is nothing to do for a commit; None if it is to be deployed.

    `trigger` is what started the run; with `start` a service waits for it and is down meanwhile.
    """
    release = linked_release(app.paths.current)
    current = app.records.release(release) if release else None
    fault = next((item for item in app.records.quarantined() if item.commit == commit), None)
    # If the first release does not run, its commit is in quarantine, but it is kept as current.
    usable = current and is_usable(app.paths, app.settings.build.python, current)
    new_settings = current is not None and applied.changed(current.settings, app.settings)
    if current and current.commit == commit and not fault and usable and not new_settings:
        reason = f"{app.name}: already up to date at commit {short(commit)}"
        return Outcome(Result.CURRENT, Exit.DONE, reason, commit, release)
    if force:
        return None
    if fault and is_kept_out(fault, app.clock.now()):
        reason = (
            f"{app.name}: commit {short(commit)} is in quarantine (since {fault.since}), because"
            f" {why_kept_out(fault)}; {kept(release)}"
        )
        advice = f"wait for a newer commit, or: autoupdatectl run --force {app.name}"
        return Outcome(Result.DEFERRED, Exit.DONE, reason, commit, release, advice)
    return too_early(app, commit, release, longest_wait(app, trigger))


def too_early(app: App, commit: str, release: str, longest: float) -> Outcome | None:
    """Return why a commit that failed is not tried again yet; None if it is tried now."""
    attempts = app.records.attempts(commit)
    if attempts is None:
        return None
    # Services are kept down only for attempts that failed.
    longest = longest if attempts.failed else LONGEST_WAIT
    left = seconds_left(attempts, app.clock.now(), longest)
    if left <= 0:
        return None
    reason = (
        f"{app.name}: commit {short(commit)} is tried again in {math.ceil(left)} s, after"
        f" {counted(attempts.failed + attempts.interrupted, 'attempt')}: {attempts.reason};"
        f" {kept(release)}"
    )
    advice = f"to try now: autoupdatectl run --force {app.name}"
    return Outcome(Result.DEFERRED, Exit.DONE, reason, commit, release, advice)


def was_only_rehearsed(records: Records, since: str) -> bool:
    """Return whether a run that ended since then found the newest commit bad in its rehearsal.

    The good release is deployed, and the commit has been dealt with as if it was rolled back.
    """
    last = records.history(1)
    ended = bool(last) and last[0].finished_at >= since
    return ended and last[0].step == Step.REHEARSE and not stuck(records)


def stuck(records: Records) -> str:
    """Return why no release could be made of upstream's newest commit; empty if one could.

    Empty also for a commit that was rolled back, or failed in its rehearsal: the good release is
    deployed.
    """
    candidate = records.candidate()
    if candidate is None:
        return ""
    for failed in records.quarantined():
        if failed.commit == candidate.commit:
            if failed.step in (Step.REHEARSE, Step.PROBATION):
                return ""
            return f"commit {short(failed.commit)} is in quarantine: {why_kept_out(failed)}"
    attempts = records.attempts(candidate.commit)
    if attempts is None or not attempts.failed:
        return ""
    transaction = records.unfinished()
    if transaction and (transaction.commit, transaction.step) == (candidate.commit, Step.PROBATION):
        # It is deployed now: a service kept down would look like a crash of this commit.
        return ""
    return f"commit {short(attempts.commit)} could not be deployed: {attempts.reason}"
