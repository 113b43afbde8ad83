"""What an administrator orders: a rollback to another release, or a restart on the current one."""

import os
from collections.abc import Sequence

from autoupdate.app import App, Outcome
from autoupdate.gates.runnable import is_complete
from autoupdate.host import runtime_files
from autoupdate.host.links import linked_release
from autoupdate.model.errors import AutoupdateError, ConfigurationError, Exit, Interrupted
from autoupdate.model.events import FAILED, STEP
from autoupdate.model.steps import Result, Step
from autoupdate.records.rows import BY_HAND, Release, Transaction
from autoupdate.update.health import UnhealthyError
from autoupdate.update.probation import after_restart, look, watch
from autoupdate.update.recover import recover
from autoupdate.update.roll_back import roll_back


def rollback(app: App, wanted: str) -> Outcome:
    """Roll back to another release; the commit of the current one is put into quarantine.

    Raises ConfigurationError if there is no such release, or it cannot run.
    """
    before = linked_release(app.paths.current)
    interrupted = app.records.unfinished()
    if unwatched := recover(app):
        return not_yet(app, unwatched, "rollback")
    current = linked_release(app.paths.current)
    if interrupted and has_gone_back(interrupted, before, current) and wanted in ("", current):
        return ended(app.records.transaction(interrupted.id), current)
    target = wanted or linked_release(app.paths.previous)
    refuse_impossible(app, current, target, wanted)
    runtime_files.set_stale(app.paths)
    transaction = begin(app, current, target)
    with runtime_files.activating(app.paths):
        return roll_back(app, transaction, BY_HAND)


def restart(app: App) -> Outcome:
    """Restart the services on the release that is current, and watch them as after an update.

    Those that were stopped are left alone. Raises ConfigurationError if nothing can be restarted.
    """
    if unwatched := recover(app):
        return not_yet(app, unwatched, "restart")
    release = linked_release(app.paths.current)
    refuse_unable(app, release)
    present = [service for service in look(app) if service.exists]
    names = [service.name for service in present if service.runs or service.crashed]
    if not names:
        raise ConfigurationError(
            f"{app.name}: none of its services runs from {app.settings.path}",
            f"autoupdatectl status {app.name}",
        )
    app.tell(STEP, f"{app.name}: restarting {', '.join(names)}, by hand", release=release)
    try:
        with runtime_files.activating(app.paths):
            app.host.services.restart(names)
            watch(app, after_restart([item for item in present if item.name in names]))
    except KeyboardInterrupt as error:
        code = error.exit_code if isinstance(error, Interrupted) else Interrupted("").exit_code
        raise Interrupted(
            f"{app.name}: interrupted; systemd goes on restarting {', '.join(names)}", code
        ) from None
    except (UnhealthyError, AutoupdateError) as error:
        return restarted(app, release, names, str(error))
    return restarted(app, release, names, "")


def refuse_unable(app: App, release: str) -> None:
    """Raise ConfigurationError if there is no release that services could be restarted on."""
    if release and is_complete(app.paths, release):
        return
    why = "its current release is not complete" if release else "nothing is deployed"
    raise ConfigurationError(f"{app.name}: {why}", f"autoupdatectl run {app.name}")


def restarted(app: App, release: str, names: Sequence[str], fault: str) -> Outcome:
    """Return the outcome of a restart: which services are up, which not, and the `fault`."""
    seen = app.host.services.look(app.settings.services)
    up = [item.name for item in seen if item.name in names and item.active == "active"]
    down = [name for name in names if name not in up]
    others = [item.name for item in seen if item.exists and item.name not in names]
    parts = [f"{app.name}: services restarted on release {release}"]
    parts += [f"failed: {fault}"] if fault else []
    parts += [f"up: {', '.join(up)}"] if up else []
    parts += [f"down: {', '.join(down)}"] if down else []
    parts += [f"not restarted: {', '.join(others)}"] if others else []
    reason = "; ".join(parts)
    app.tell(FAILED if fault else STEP, reason, release=release)
    if not fault:
        return Outcome(Result.CURRENT, Exit.DONE, reason, release=release)
    advice = "; ".join(f"journalctl --unit={name} --lines=50" for name in down or names)
    return Outcome(Result.FAILED, Exit.FAILED, reason, release=release, advice=advice)


def not_yet(app: App, unwatched: Outcome, verb: str) -> Outcome:
    """Return the outcome if nothing was done, because a probation cannot end in this run."""
    advice = f"wait until it ends, then run again: autoupdatectl {verb} {app.name}"
    return unwatched._replace(exit_code=Exit.FAILED, advice=advice)


def has_gone_back(interrupted: Transaction, before: str, current: str) -> bool:
    """Return whether recovery has just done what was asked: switched from the release that ran.

    Somebody who types the same again does not mean one release further back.
    """
    had_switched = interrupted.step == Step.ROLL_BACK or before == interrupted.release
    return had_switched and current != interrupted.release


def ended(transaction: Transaction, current: str) -> Outcome:
    """Return the outcome of a rollback that was interrupted and has now ended."""
    code = Exit.BROKEN if transaction.exit_code == Exit.BROKEN else Exit.DONE
    result, reason = Result(transaction.result), transaction.reason
    return Outcome(result, code, reason, transaction.commit, current)


def begin(app: App, current: str, target: str) -> Transaction:
    """Begin the transaction of a rollback and record at once all that recovery would need."""
    left, wanted = app.records.release(current), app.records.release(target)
    commit = left.commit if left else ""
    # A failed service may be the reason for this rollback, so it is restarted, too.
    running = [item.name for item in look(app) if item.runs or item.active == "failed"]
    now = app.clock.now()
    with app.records.atomic():
        number = app.records.begin("rollback", commit, target, now, Step.ROLL_BACK)
        app.records.set_target(number, commit, current)
        app.records.set_services(number, running)
        if commit:
            app.records.quarantine(commit, Step.PROBATION, BY_HAND, now)
        if wanted:
            # Its commit was chosen by hand, so it must not be in quarantine.
            app.records.forgive(wanted.commit)
    return app.records.transaction(number)


def refuse_impossible(app: App, current: str, target: str, wanted: str) -> None:
    """Raise ConfigurationError if a release cannot run; the advice lists those that can."""
    known = [item for item in app.records.releases() if item.id != current]
    usable = [item.id for item in known if can_go_back_to(app, item)]
    if target in usable:
        return
    others = ", ".join(usable)
    advice = f"you can roll back to: {others}" if others else "there is no other release"
    if not target:
        raise ConfigurationError("there is no previous release to roll back to", advice)
    if target == current:
        raise ConfigurationError(f"release {target} is already the current one", advice)
    what = wanted or f"{target}, the previous one,"
    if is_complete(app.paths, target):
        raise ConfigurationError(f"release {what} needs a Python that is not installed", advice)
    raise ConfigurationError(f"release {what} does not exist or is not complete", advice)


def can_go_back_to(app: App, release: Release) -> bool:
    """Return whether a release is complete, and the Python that it was built for still exists."""
    interpreter = release.interpreter.partition(" ")[0]
    python = os.path.realpath(f"{app.paths.release(release.id)}/.venv/bin/python")
    return is_complete(app.paths, release.id) and interpreter in ("", python)
