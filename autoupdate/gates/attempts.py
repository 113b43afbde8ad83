"""Whether a candidate is to be taken: the reasons to leave things as they are."""

import math
import os

from autoupdate.app import App, Outcome
from autoupdate.gates.backoff import LONGEST_WAIT, LONGEST_WAIT_OF_A_START, seconds_left
from autoupdate.host.links import linked_release
from autoupdate.model.errors import Exit
from autoupdate.model.paths import AppPaths
from autoupdate.model.steps import Result, Step
from autoupdate.records.records import Release, Store

# So many transactions without anything switched are not looked behind.
LOOK_BACK = 50


def longest_wait(app: App, trigger: str) -> float:
    """Return for how long at most, in seconds, a commit that failed lately is put off."""
    blocks = app.settings.start.if_update_fails == "block"
    return LONGEST_WAIT_OF_A_START if trigger == "start" and blocks else LONGEST_WAIT


def nothing_to_do(
    app: App, commit: str, *, force: bool, longest_wait: float = LONGEST_WAIT
) -> Outcome | None:
    """Return why there is nothing to do for a commit; None when it is to be taken."""
    release = linked_release(app.paths.current)
    current = app.store.release(release) if release else None
    fault = next((item for item in app.store.quarantined() if item.commit == commit), None)
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
    return too_early(app, commit, release, longest_wait)


def too_early(app: App, commit: str, release: str, longest: float) -> Outcome | None:
    """Return why a commit that failed lately is not tried again yet; None when it is its turn."""
    attempts = app.store.attempts(commit)
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


def stuck(store: Store) -> str:
    """Return the fault for which upstream's newest commit could not even be made a release.

    A commit that was rolled back is no such case: the host has dealt with it.
    """
    candidate = store.candidate()
    if candidate is None:
        return ""
    for failed in store.quarantined():
        if failed.commit == candidate.commit:
            if failed.step == Step.PROBATION:
                return ""
            return f"commit {failed.commit} failed in step {failed.step}: {failed.reason}"
    attempts = store.attempts(candidate.commit)
    if attempts is None or not attempts.failed:
        return ""
    transaction = store.unfinished()
    if transaction and (transaction.commit, transaction.step) == (candidate.commit, Step.PROBATION):
        # It has come in now: to keep a service down would pass for a crash of that commit.
        return ""
    return f"commit {attempts.commit} could not be brought in: {attempts.reason}"


def left_broken(store: Store) -> list[str]:
    """Return the services that ran on no release any more, unless it went well since then."""
    for transaction in store.history(LOOK_BACK):
        if transaction.result == Result.BROKEN:
            return transaction.services.split()
        if transaction.result in (Result.UPDATED, Result.ROLLED_BACK, Result.GIVEN_BACK):
            break
    return []


def is_usable(paths: AppPaths, python: str, release: Release) -> bool:
    """Tell whether a release is complete and its interpreter is still the host's.

    After an upgrade of the host, an environment made for the interpreter before it is useless.
    `python` is the setting `build.python`.
    """
    interpreter = release.interpreter.partition(" ")[0]
    return is_complete(paths, release.id) and interpreter == os.path.realpath(python)


def useless_current(paths: AppPaths, python: str, store: Store) -> Release | None:
    """Return the current release, if it is not usable and no transaction is under way."""
    current = store.release(linked_release(paths.current))
    if current is None or is_usable(paths, python, current) or store.unfinished():
        return None
    return current


def is_complete(paths: AppPaths, release: str) -> bool:
    """Tell whether the directory of a release is there with its environment."""
    return os.path.exists(f"{paths.release(release)}/.venv/bin/python")
