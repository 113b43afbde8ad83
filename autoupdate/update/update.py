"""One update, step by step; each step is a module in this directory.

    recover → check → fetch → verify → guard → build → rehearse → activate → probation
    → confirm | roll back

Each step is recorded before it begins, so that the next run can finish or undo an interrupted one.
"""

from collections.abc import Sequence

from autoupdate.app import App, Outcome
from autoupdate.gates.order import GUARD, VERIFY, Gate, RefusedError
from autoupdate.host import runtime_files
from autoupdate.model.errors import AutoupdateError
from autoupdate.records.rows import Release, Transaction
from autoupdate.update.activate import activate, get_ready
from autoupdate.update.build import build
from autoupdate.update.check import NothingToDoError, check
from autoupdate.update.confirm import confirm_or_roll_back
from autoupdate.update.failure import close, give_up, refuse
from autoupdate.update.fetch import begin, fetch
from autoupdate.update.guard import guard
from autoupdate.update.probation import probation
from autoupdate.update.recover import recover
from autoupdate.update.rehearse import rehearse
from autoupdate.update.verify import verify


def update(app: App, trigger: str, *, force: bool = False) -> Outcome:
    """Update to the newest commit upstream, if it is new: a whole run, under the lock.

    Raises AutoupdateError for failures before there is a transaction.
    """
    if unwatched := recover(app):
        return unwatched
    try:
        commit = check(app, trigger, force=force)
    except NothingToDoError as nothing:
        return nothing.outcome
    transaction = begin(app, commit, trigger)
    try:
        transaction, built = fetch(app, transaction, force=force)
        release = make_release(app, transaction, built, force=force)
        get_ready(app, transaction, force=force)
    except NothingToDoError as nothing:
        return close(app, transaction, nothing.outcome)
    except RefusedError as refused:
        return refuse(app, transaction, refused.verdict)
    except AutoupdateError as error:
        return give_up(app, transaction, error)
    return switch_over(app, transaction, release)


def make_release(
    app: App,
    transaction: Transaction,
    built: Release | None,
    *,
    verified_by: Sequence[Gate] = VERIFY,
    guarded_by: Sequence[Gate] = GUARD,
    newest: bool = False,
    force: bool,
) -> Release:
    """Return a tested release of the commit; `built` is one that an earlier run made.

    `newest`: packages that still fit are not kept. Raises RefusedError, AutoupdateError.
    """
    signer = verify(app, transaction, verified_by, force=force)
    guard(app, transaction, guarded_by, force=force)
    if built:
        return built
    made = build(app, transaction, signer, newest=newest, force=force)
    return rehearse(app, transaction, made)


def switch_over(app: App, transaction: Transaction, release: Release) -> Outcome:
    """Switch to a release, restart the services and watch them; confirm it or roll back."""
    with runtime_files.activating(app.paths):
        switched = activate(app, transaction, release)
        if isinstance(switched, Outcome):
            return switched
        return confirm_or_roll_back(
            app, transaction, lambda: probation(app, transaction, stopped=switched)
        )
