"""recover: finishes or undoes an interrupted run, before anything else is done."""

import os

from autoupdate.app import App, Outcome
from autoupdate.host import runtime_files
from autoupdate.host.links import linked_release, switch
from autoupdate.model.commits import short
from autoupdate.model.errors import AutoupdateError, Exit
from autoupdate.model.events import RECOVERED, STEP
from autoupdate.model.steps import Remedy, Result, Step, remedy
from autoupdate.records import unremoved
from autoupdate.records.rows import Transaction
from autoupdate.update import retention
from autoupdate.update.confirm import confirm_or_roll_back
from autoupdate.update.health import Baseline
from autoupdate.update.probation import after_restart, probation, watch
from autoupdate.update.retention import is_built
from autoupdate.update.roll_back import is_by_hand, roll_back


def recover(app: App) -> Outcome | None:
    """End the unfinished transaction, if there is one.

    Returns an outcome only if the transaction cannot end yet, because one of its services waits
    for this run.
    """
    for cure in app.cures:
        if outcome := cure(app):
            return outcome
    if app.host.rehearsals.clean():
        app.tell(RECOVERED, f"{app.name}: what an interrupted rehearsal left was removed")
    transaction = app.records.unfinished()
    if transaction is None:
        sweep(app)
        # After a build that died, the next one goes on with the environment that it has made.
        if retention.has_loose_environments(app):
            retention.tidy(app)
        return None
    outcome = end(app, transaction)
    if outcome is None:
        sweep(app)
    return outcome


def end(app: App, transaction: Transaction) -> Outcome | None:
    """Finish or undo an unfinished transaction; returns an outcome if it cannot end yet."""
    # Both are empty if a first deployment died before its release had a name.
    linked = linked_release(app.paths.current)
    switched = bool(linked) and linked == transaction.release
    cure = remedy(Step(transaction.step), switched=switched)
    what = "rollback from" if is_by_hand(transaction) else "update to"
    commit = transaction.commit
    named = f"commit {short(commit)}" if commit else f"release {transaction.release}"
    app.tell(
        RECOVERED,
        f"{app.name}: the {what} {named} was interrupted in step {transaction.step}; {cure}",
        commit=transaction.commit,
        release=transaction.release,
        step=transaction.step,
    )
    if cure is Remedy.DISCARD:
        discard(app, transaction)
        return None
    with runtime_files.activating(app.paths):
        if cure is Remedy.ROLL_BACK:
            faults = {item.commit: item.reason for item in app.records.quarantined()}
            fault = faults.get(transaction.commit, "the rollback was interrupted")
            roll_back(app, transaction, fault)
            return None
        if transaction.step == Step.ACTIVATE:
            # The run may have died after the switch, but before this was recorded.
            app.records.set_activated(transaction.release, app.clock.now())
            stopped = transaction.services.split()
            confirm_or_roll_back(
                app, transaction, lambda: probation(app, transaction, stopped=stopped)
            )
            return None
        return resume_or_leave(app, transaction)


def sweep(app: App) -> None:
    """Remove what a run left that died between two related changes.

    Release directories without a record were about to be removed, or belong to a lost state.
    """
    current, previous = linked_release(app.paths.current), linked_release(app.paths.previous)
    if current and current == previous:
        # Only one of the two links was switched; `current` is the one that counts.
        previous = retention.before(app, current, "")
        switch(app.paths, current, previous)
    known = {release.id for release in app.records.releases()} | {current, previous}
    reported = unremoved.read(app.paths)
    for place in reported:
        if not os.path.lexists(place):
            unremoved.forget(app.paths, place)
    for release in sorted(set(os.listdir(app.paths.releases)) - known):
        if app.paths.release(release) not in reported:
            app.tell(RECOVERED, f"{app.name}: release {release} is not in the records;"
                     " it is removed", release=release)  # fmt: skip
        retention.remove(app, release)


def discard(app: App, transaction: Transaction) -> None:
    """Remove an incomplete release; one that is built and rehearsed waits for the next run."""
    finished = is_built(app, transaction) and transaction.step != Step.REHEARSE
    if transaction.release and not finished:
        retention.spare(app, transaction)
        retention.remove(app, transaction.release)
    # Services that were stopped to copy shared files must be started again.
    try:
        app.host.services.restart(transaction.services.split())
    except AutoupdateError as error:
        # A service that is masked now must not keep this transaction open for ever.
        app.tell(STEP, f"{app.name}: {error.message}", commit=transaction.commit)
    app.host.snapshots.drop(transaction.id)
    reason = f"interrupted in step {transaction.step}; nothing was switched"
    app.records.count_attempt(transaction.commit, reason, app.clock.now(), interrupted=True)
    app.records.finish(transaction.id, Result.INTERRUPTED, Exit.FAILED, reason, app.clock.now())


def resume_or_leave(app: App, transaction: Transaction) -> Outcome | None:
    """Continue a probation, unless one of its services cannot start before this run ends."""
    watched = app.host.services.look(transaction.services.split())
    if not any(service.waits_for_gate for service in watched):
        resume(app, transaction)
        return None
    app.host.services.watch_later(app.name)
    reason = f"{app.name}: release {transaction.release} is on probation"
    return Outcome(Result.DEFERRED, Exit.DONE, reason, transaction.commit, transaction.release)


def resume(app: App, transaction: Transaction) -> Outcome:
    """Continue a probation that another process began, and confirm the release or roll back."""
    return confirm_or_roll_back(app, transaction, lambda: watch_again(app, transaction))


def watch_again(app: App, transaction: Transaction) -> tuple[str, ...]:
    """Watch the services of a probation; return an empty list, as none waits for this run.

    Services that are down are restarted once: what ended the other process may have ended them,
    too. After a boot, services that do not start with it are left alone.
    Raises UnhealthyError, AutoupdateError.
    """
    present = [
        item
        for item in app.host.services.look(transaction.services.split())
        if item.exists and not item.never_started
    ]
    down = [service for service in present if service.crashed]
    baselines = {service.name: Baseline("", service.restarts) for service in present}
    app.host.services.restart([service.name for service in down])
    watch(app, baselines | after_restart(down))
    return ()
