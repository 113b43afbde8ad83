"""confirm | roll back: a release that passes its probation is confirmed, another is rolled back."""

from collections.abc import Callable

from autoupdate.app import App, Outcome
from autoupdate.gates import hooks
from autoupdate.gates.lineage import raise_high_water
from autoupdate.model.commits import short
from autoupdate.model.errors import AutoupdateError, Exit
from autoupdate.model.events import CONFIRMED
from autoupdate.model.steps import Result
from autoupdate.records.rows import Transaction
from autoupdate.update import retention
from autoupdate.update.health import FirstServiceError, UnhealthyError
from autoupdate.update.roll_back import roll_back


def confirm_or_roll_back(
    app: App, transaction: Transaction, probation: Callable[[], tuple[str, ...]]
) -> Outcome:
    """Confirm the release if it passes its probation, which another process may have to finish."""
    try:
        waiting = probation()
    except (UnhealthyError, AutoupdateError) as error:
        untouched = error.others if isinstance(error, FirstServiceError) else {}
        return roll_back(app, transaction, str(error), untouched)
    if waiting:
        commit, release = transaction.commit, transaction.release
        starting = f"{', '.join(waiting)} will start on it"
        reason = f"{app.name}: updated to commit {short(commit)}; {starting}"
        return Outcome(Result.UPDATED, Exit.DONE, reason, commit, release)
    return confirm(app, transaction)


def confirm(app: App, transaction: Transaction) -> Outcome:
    """Confirm a release, and remove the releases beyond `keep`."""
    commit, release = transaction.commit, transaction.release
    reason = f"{app.name}: release {release} is confirmed at commit {short(commit)}"
    # In one transaction of the database, so that no notification is lost or sent twice.
    with app.records.atomic():
        app.records.forgive(commit)
        raise_high_water(app, commit)
        app.records.finish(transaction.id, Result.UPDATED, Exit.DONE, "", app.clock.now())
        app.tell(CONFIRMED, reason, commit=commit, release=release)
    app.host.snapshots.drop(transaction.id)
    hooks.after(app, transaction, Result.UPDATED)
    retention.prune(app)
    return Outcome(Result.UPDATED, Exit.DONE, reason, commit, release)
