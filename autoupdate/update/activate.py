"""activate: one atomic rename switches `current`; services that start now get the new release."""

from autoupdate.app import App, Outcome
from autoupdate.config import applied
from autoupdate.gates import hooks
from autoupdate.gates.order import BEFORE_SWITCH, RefusedError, pass_all
from autoupdate.host.links import is_managed, linked_release, switch
from autoupdate.model.errors import AutoupdateError, HostFaultError
from autoupdate.model.events import STEP
from autoupdate.model.steps import Result, Step
from autoupdate.records.rows import Release, Transaction
from autoupdate.update import retention
from autoupdate.update.failure import give_up
from autoupdate.update.local_changes import save_local_changes
from autoupdate.update.probation import look, refuse_dynamic_users, try_probes
from autoupdate.update.roll_back import roll_back


def get_ready(app: App, transaction: Transaction, *, force: bool) -> None:
    """Do what comes right before the switch and may still stop the update.

    Raises RefusedError if a window is closed, a probe or a hook fails, and AutoupdateError.
    """
    pass_all(BEFORE_SWITCH, app, transaction.commit, force=force)
    refuse_dynamic_users(app)
    try_probes(app, force=force)
    if refusal := hooks.before_update(app, transaction):
        raise RefusedError(refusal)
    try:
        # A release that is not in the records cannot be compared with the mirror.
        if transaction.previous and app.records.release(transaction.previous):
            save_local_changes(app, transaction)
        app.host.place(app.settings.path, app.paths)
        tell_of_former_path(app, transaction)
    except AutoupdateError:
        hooks.after(app, transaction, Result.FAILED)
        raise


def tell_of_former_path(app: App, transaction: Transaction) -> None:
    """Say that the link at a former path stays: other programs may still use it."""
    before = app.records.release(transaction.previous)
    former = applied.path_of(before.settings) if before else ""
    if former not in ("", app.settings.path) and is_managed(former, app.paths):
        app.tell(STEP, f"{app.name}: {former} stays a link to the app, for programs that still use"
                 f" it; when none does: rm {former}", commit=transaction.commit)  # fmt: skip


def activate(app: App, transaction: Transaction, release: Release) -> tuple[str, ...] | Outcome:
    """Switch to a release; return the services that were stopped for it.

    Returns an outcome if the switch failed and was undone. What a signal interrupts here is handed
    over by the run, so that no commit is blamed for it.
    """
    stopped: tuple[str, ...] = ()
    try:
        app.records.enter(transaction.id, Step.ACTIVATE, app.clock.now())
        if app.settings.shared_snapshot and transaction.previous:
            stopped = copy_shared_files(app, transaction)
        # If the release that is switched from is gone, `previous` gets an older one.
        previous = transaction.previous or retention.before(app, release.id, "")
        switch(app.paths, release.id, previous)
        app.records.set_activated(release.id, app.clock.now())
    except (AutoupdateError, OSError) as error:
        return undo(app, transaction, str(error))
    return stopped


def undo(app: App, transaction: Transaction, reason: str) -> Outcome:
    """End a transaction whose switch failed: roll back if the new release is already current."""
    fault = HostFaultError(f"the switch failed: {reason}")
    if linked_release(app.paths.current) == transaction.release:
        return roll_back(app, transaction, fault.message)
    stopped = app.records.transaction(transaction.id).services.split()
    app.host.services.restart(stopped)
    hooks.after(app, transaction, Result.FAILED)
    return give_up(app, transaction, fault)


def copy_shared_files(app: App, transaction: Transaction) -> tuple[str, ...]:
    """Stop the services and copy the shared files, for a rollback; return the stopped services."""
    running = tuple(service.name for service in look(app) if service.runs)
    # Recorded first, so that a run which finishes or undoes this starts them again.
    app.records.set_services(transaction.id, running)
    app.host.services.stop(running)
    app.host.snapshots.take(transaction.id, app.settings.shared_snapshot)
    return running
