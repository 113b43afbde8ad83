"""confirm | roll back: what the probation says decides; a confirmed release is kept."""

from collections.abc import Callable

from autoupdate.app import App, Outcome
from autoupdate.gates import hooks
from autoupdate.gates.lineage import raise_high_water
from autoupdate.host.health import UnhealthyError
from autoupdate.model.errors import AutoupdateError, Exit
from autoupdate.model.events import CONFIRMED
from autoupdate.model.steps import Result
from autoupdate.records.rows import Transaction
from autoupdate.update import retention
from autoupdate.update.roll_back import roll_back


def confirm_or_roll_back(
    app: App, transaction: Transaction, probation: Callable[[], tuple[str, ...]]
) -> Outcome:
    """Confirm the release if it stands its probation, which another process may have to end."""
    try:
        waiting = probation()
    except (UnhealthyError, AutoupdateError) as error:
        return roll_back(app, transaction, str(error))
    if waiting:
        commit, release = transaction.commit, transaction.release
        reason = f"updated {app.name} to commit {commit}; {', '.join(waiting)} to follow"
        return Outcome(Result.UPDATED, Exit.DONE, reason, commit, release)
    return confirm(app, transaction)


def confirm(app: App, transaction: Transaction) -> Outcome:
    """Record that a release has proved itself, and remove those that are too many now."""
    commit, release = transaction.commit, transaction.release
    reason = f"{app.name}: release {release} is confirmed at commit {commit}"
    # What is told and what is recorded count together: nobody is told twice, or not at all.
    with app.records.atomic():
        app.records.forgive(commit)
        raise_high_water(app, commit)
        app.records.finish(transaction.id, Result.UPDATED, Exit.DONE, "", app.clock.now())
        app.tell(CONFIRMED, reason, commit=commit, release=release)
    app.host.snapshots.drop(transaction.id)
    hooks.after(app, transaction, Result.UPDATED)
    retention.prune(app)
    return Outcome(Result.UPDATED, Exit.DONE, reason, commit, release)
