"""earlier attempts: is a commit deployed already, or did it fail here?"""

import math

from autoupdate.app import App, Outcome
from autoupdate.gates.backoff import LONGEST_WAIT, LONGEST_WAIT_OF_A_START, seconds_left
from autoupdate.gates.runnable import is_usable
from autoupdate.host.links import linked_release
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result, Step
from autoupdate.records.records import Records


def longest_wait(app: App, trigger: str) -> float:
    """Return for how long at most, in seconds, a commit that failed lately is put off."""
    blocks = app.settings.start.if_update_fails == "block"
    return LONGEST_WAIT_OF_A_START if trigger == "start" and blocks else LONGEST_WAIT


def nothing_to_do(app: App, commit: str, trigger: str, *, force: bool) -> Outcome | None:
    """Return why there is nothing to do for a commit; None when it is to be taken.

    `trigger` is what began the run: a service that waits for it is down meanwhile.
    """
    release = linked_release(app.paths.current)
    current = app.records.release(release) if release else None
    fault = next((item for item in app.records.quarantined() if item.commit == commit), None)
    # A first release that does not run is current, for want of another, and yet in quarantine.
    usable = current and is_usable(app.paths, app.settings.build.python, current)
    if current and current.commit == commit and not fault and usable:
        reason = f"{app.name}: already up to date at commit {commit}"
        return Outcome(Result.CURRENT, Exit.DONE, reason, commit, release)
    if force:
        return None
    if fault:
        reason = (
            f"{app.name}: commit {commit} is in quarantine since {fault.since}, because"
            f" {fault.step} failed: {fault.reason}; release {release or 'none'} stays"
        )
        advice = f"wait for a newer commit, or: autoupdatectl run --force {app.name}"
        return Outcome(Result.DEFERRED, Exit.DONE, reason, commit, release, advice)
    return too_early(app, commit, release, longest_wait(app, trigger))


def too_early(app: App, commit: str, release: str, longest: float) -> Outcome | None:
    """Return why a commit that failed lately is not tried again yet; None when it is its turn."""
    attempts = app.records.attempts(commit)
    left = seconds_left(attempts, app.clock.now(), longest) if attempts else 0.0
    if attempts is None or left <= 0:
        return None
    reason = (
        f"{app.name}: commit {commit} is tried again in {math.ceil(left)} s, after"
        f" {attempts.failed + attempts.interrupted} attempts: {attempts.reason};"
        f" release {release or 'none'} stays"
    )
    advice = f"to try at once: autoupdatectl run --force {app.name}"
    return Outcome(Result.DEFERRED, Exit.DONE, reason, commit, release, advice)


def stuck(records: Records) -> str:
    """Return the fault for which upstream's newest commit could not even be made a release.

    A commit that was rolled back is no such case: the host has dealt with it.
    """
    candidate = records.candidate()
    if candidate is None:
        return ""
    for failed in records.quarantined():
        if failed.commit == candidate.commit:
            if failed.step == Step.PROBATION:
                return ""
            return f"commit {failed.commit} failed in step {failed.step}: {failed.reason}"
    attempts = records.attempts(candidate.commit)
    if attempts is None or not attempts.failed:
        return ""
    transaction = records.unfinished()
    if transaction and (transaction.commit, transaction.step) == (candidate.commit, Step.PROBATION):
        # It has come in now: to keep a service down would pass for a crash of that commit.
        return ""
    return f"commit {attempts.commit} could not be brought in: {attempts.reason}"
