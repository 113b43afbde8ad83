"""roll back: the release before runs again, and the commit that did not run is in quarantine."""

from collections.abc import Sequence

from autoupdate.app import App, Outcome
from autoupdate.gates import hooks
from autoupdate.gates.runnable import is_complete
from autoupdate.host.health import UnhealthyError
from autoupdate.host.links import linked_release, switch
from autoupdate.model.errors import AutoupdateError, Exit
from autoupdate.model.events import BROKEN, ROLLED_BACK, STEP
from autoupdate.model.steps import Result, Step
from autoupdate.records.rows import Transaction
from autoupdate.update import retention
from autoupdate.update.failure import blame_for_running_badly
from autoupdate.update.probation import after_restart, answered, look, watch


def roll_back(app: App, transaction: Transaction, fault: str) -> Outcome:
    """Switch to the release before; restart, watch, and put the commit into quarantine."""
    transaction = app.records.transaction(transaction.id)
    commit, release = transaction.commit, transaction.release
    if transaction.step != Step.ROLL_BACK:
        # In this order: a rollback that is interrupted must not take the same commit once more.
        blame_for_running_badly(app, transaction, fault)
        app.records.enter(transaction.id, Step.ROLL_BACK, app.clock.now())
        app.keep_second_copy()
    good = release_before(app, transaction)
    if not good:
        reason = f"{app.name}: commit {commit} does not run ({fault}), and there is no release"
        return end(app, transaction, Result.BROKEN, f"{reason} to go back to; it was left in place")
    app.tell(STEP, f"{app.name}: {fault}; going back to release {good}",
             commit=commit, release=good, step=Step.ROLL_BACK)  # fmt: skip
    hooks.before_roll_back(app, transaction)
    switch(app.paths, good, retention.before(app, good, release))
    app.records.set_activated(good, app.clock.now())
    try:
        run_again(app, transaction, good)
    except (UnhealthyError, AutoupdateError) as error:
        reason = f"{app.name}: commit {commit} does not run ({fault}), and neither does {good} now"
        return end(app, transaction, Result.BROKEN, f"{reason} ({error}); a person is needed")
    app.host.snapshots.drop(transaction.id)
    if not is_by_hand(transaction):
        retention.remove_unless_used(app, release)
    before = app.records.release(good)
    reason = (
        f"{app.name}: rolled back from commit {commit} to {before.commit if before else good}:"
        f" {fault}"
    )
    return end(app, transaction, Result.ROLLED_BACK, reason)


def release_before(app: App, transaction: Transaction) -> str:
    """Return the release to switch to; empty if there is none."""
    good = transaction.previous
    if good and is_complete(app.paths, good):
        return good
    # It is gone itself; what ran before it may be there.
    return retention.before(app, transaction.release, transaction.release)


def run_again(app: App, transaction: Transaction, good: str) -> None:
    """Put the services on the release before, and watch them. Raises UnhealthyError."""
    names = concerned(app, transaction)
    if put_back(app, transaction, names):
        app.tell(STEP, f"{app.name}: shared files put back as they were before",
                 commit=transaction.commit, release=good, step=Step.ROLL_BACK)  # fmt: skip
    present = [service for service in answered(app, names) if service.exists]
    app.host.services.restart([service.name for service in present])
    watch(app, after_restart(present))


def concerned(app: App, transaction: Transaction) -> list[str]:
    """Return the services to put on the good release: those of the update, and what runs since."""
    known = transaction.services.split()
    running = [service.name for service in look(app) if service.runs]
    return known + [name for name in running if name not in known]


def put_back(app: App, transaction: Transaction, names: Sequence[str]) -> bool:
    """Put shared files back, with the services stopped; tell whether there were any to put back."""
    if not app.settings.shared_snapshot:
        return False
    app.host.services.stop(names)
    return app.host.snapshots.restore(transaction.id)


def is_by_hand(transaction: Transaction) -> bool:
    """Tell whether an administrator asked for the rollback."""
    return transaction.trigger == "rollback"


def end(app: App, transaction: Transaction, result: Result, reason: str) -> Outcome:
    """Record and tell that a release did not prove itself."""
    broken = result is Result.BROKEN
    wanted = Exit.DONE if is_by_hand(transaction) else Exit.FAILED
    code = Exit.BROKEN if broken else wanted
    current = linked_release(app.paths.current)
    with app.records.atomic():
        app.records.finish(transaction.id, result, code, reason, app.clock.now())
        app.tell(BROKEN if broken else ROLLED_BACK, reason,
                 commit=transaction.commit, release=current, step=Step.ROLL_BACK)  # fmt: skip
    hooks.after(app, transaction, result)
    advice = f"journalctl -t autoupdate; systemctl status {transaction.services or app.name}"
    return Outcome(result, code, reason, transaction.commit, current, advice)
