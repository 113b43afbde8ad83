"""activate: one atomic rename; whoever starts from now on gets the new release."""

from autoupdate.app import App, Outcome
from autoupdate.gates import hooks
from autoupdate.gates.order import BEFORE_SWITCH, RefusedError, pass_all
from autoupdate.host.links import linked_release, switch
from autoupdate.model.errors import AutoupdateError, HostFaultError
from autoupdate.model.steps import Result, Step
from autoupdate.records.rows import Release, Transaction
from autoupdate.update import retention
from autoupdate.update.failure import give_up
from autoupdate.update.local_changes import save_local_changes
from autoupdate.update.probation import look
from autoupdate.update.roll_back import roll_back


def get_ready(app: App, transaction: Transaction, *, force: bool) -> None:
    """Do what comes right before the switch and may still say no, or fail.

    Raises RefusedError when a window is closed or a hook says no; AutoupdateError.
    """
    pass_all(BEFORE_SWITCH, app, transaction.commit, force=force)
    if refusal := hooks.before_update(app, transaction):
        raise RefusedError(refusal)
    try:
        # Of a release that an earlier installation left, the mirror knows nothing to compare with.
        if transaction.previous and app.records.release(transaction.previous):
            save_local_changes(app, transaction)
        app.host.place(app.settings.path, app.paths)
    except AutoupdateError:
        hooks.after(app, transaction, Result.FAILED)
        raise


def activate(app: App, transaction: Transaction, release: Release) -> tuple[str, ...] | Outcome:
    """Switch to a release; return the services that were stopped for it.

    An outcome says that the switch failed, and how that was undone.
    """
    stopped: tuple[str, ...] = ()
    try:
        app.records.enter(transaction.id, Step.ACTIVATE, app.clock.now())
        if app.settings.shared_snapshot and transaction.previous:
            stopped = copy_shared_files(app, transaction)
        # Where the release that is left is gone, the one before it may be there.
        previous = transaction.previous or retention.before(app, release.id, "")
        switch(app.paths, release.id, previous)
        app.records.set_activated(release.id, app.clock.now())
    except (AutoupdateError, OSError) as error:
        return undo(app, transaction, str(error))
    except KeyboardInterrupt:
        # Services may have been stopped for a copy of their files.
        undo(app, transaction, "interrupted by hand")
        raise
    return stopped


def undo(app: App, transaction: Transaction, reason: str) -> Outcome:
    """End a transaction whose switch failed: undo it, or go on with the release that was left."""
    fault = HostFaultError(f"the switch failed: {reason}")
    if linked_release(app.paths.current) == transaction.release:
        return roll_back(app, transaction, fault.message)
    stopped = app.records.transaction(transaction.id).services.split()
    app.host.services.restart(stopped)
    hooks.after(app, transaction, Result.FAILED)
    return give_up(app, transaction, fault)


def copy_shared_files(app: App, transaction: Transaction) -> tuple[str, ...]:
    """Stop the services and copy the shared files that a rollback puts back; return their names."""
    running = tuple(service.name for service in look(app) if service.runs)
    # Recorded first: whoever finishes or undoes this starts them again.
    app.records.set_services(transaction.id, running)
    app.host.services.stop(running)
    app.host.snapshots.take(transaction.id, app.settings.shared_snapshot)
    return running
