"""rollback: back to the previous or a named release by an administrator's word."""

import os

from autoupdate.app import App, Outcome
from autoupdate.gates.runnable import is_complete
from autoupdate.host import runtime_files
from autoupdate.host.links import linked_release
from autoupdate.model.errors import ConfigurationError, Exit
from autoupdate.model.steps import Result, Step
from autoupdate.records.rows import Release, Transaction
from autoupdate.update.probation import look
from autoupdate.update.recover import recover
from autoupdate.update.roll_back import roll_back

BY_HAND = "rolled back by hand"


def rollback(app: App, wanted: str) -> Outcome:
    """Switch to another release, restart and watch; the commit that is left goes to quarantine.

    Raises ConfigurationError when there is no such release to go to.
    """
    before = linked_release(app.paths.current)
    interrupted = app.records.unfinished()
    if unwatched := recover(app):
        return not_yet(app, unwatched)
    current = linked_release(app.paths.current)
    if interrupted and has_gone_back(interrupted, before, current) and wanted in ("", current):
        return ended(app.records.transaction(interrupted.id), current)
    target = wanted or linked_release(app.paths.previous)
    refuse_impossible(app, current, target, wanted)
    runtime_files.set_stale(app.paths)
    transaction = begin(app, current, target)
    with runtime_files.activating(app.paths):
        return roll_back(app, transaction, BY_HAND)


def not_yet(app: App, unwatched: Outcome) -> Outcome:
    """Tell that nothing was rolled back, as a probation goes on that this run cannot end."""
    advice = f"wait for it, then type again: autoupdatectl rollback {app.name}"
    return unwatched._replace(exit_code=Exit.FAILED, advice=advice)


def has_gone_back(interrupted: Transaction, before: str, current: str) -> bool:
    """Tell whether to finish an interrupted run was to leave the release that was meant to be left.

    One release further back is not what somebody means who types the same again.
    """
    had_switched = interrupted.step == Step.ROLL_BACK or before == interrupted.release
    return had_switched and current != interrupted.release


def ended(transaction: Transaction, current: str) -> Outcome:
    """Return how an interrupted way back ended."""
    code = Exit.BROKEN if transaction.exit_code == Exit.BROKEN else Exit.DONE
    result, reason = Result(transaction.result), transaction.reason
    return Outcome(result, code, reason, transaction.commit, current)


def begin(app: App, current: str, target: str) -> Transaction:
    """Open the transaction of a way back, with everything that recovery needs, all at once."""
    left, wanted = app.records.release(current), app.records.release(target)
    commit = left.commit if left else ""
    # One that failed on the release that is left may well be why it is left.
    running = [item.name for item in look(app) if item.runs or item.active == "failed"]
    now = app.clock.now()
    with app.records.atomic():
        number = app.records.begin("rollback", commit, target, now, Step.ROLL_BACK)
        app.records.set_target(number, commit, current)
        app.records.set_services(number, running)
        if commit:
            app.records.quarantine(commit, Step.PROBATION, BY_HAND, now)
        if wanted:
            # Whoever goes to a release by hand lets its commit be tried, this one included.
            app.records.forgive(wanted.commit)
    return app.records.transaction(number)


def refuse_impossible(app: App, current: str, target: str, wanted: str) -> None:
    """Raise ConfigurationError, with what could be typed, for a release that cannot be run."""
    others = [item for item in app.records.releases() if item.id != current]
    usable = [item.id for item in others if can_go_back_to(app, item)]
    if target in usable:
        return
    advice = f"there are: {', '.join(usable)}" if usable else "there is no other release"
    if not target:
        raise ConfigurationError("there is no previous release to go back to", advice)
    if target == current:
        raise ConfigurationError(f"release {target} is the current one already", advice)
    what = wanted or f"{target}, the previous one,"
    if is_complete(app.paths, target):
        raise ConfigurationError(f"release {what} was made for a Python that is gone", advice)
    raise ConfigurationError(f"there is no complete release {what} here", advice)


def can_go_back_to(app: App, release: Release) -> bool:
    """Tell whether a release is complete, and the Python that it was made for is still there."""
    interpreter = release.interpreter.partition(" ")[0]
    python = os.path.realpath(f"{app.paths.release(release.id)}/.venv/bin/python")
    return is_complete(app.paths, release.id) and interpreter in ("", python)
