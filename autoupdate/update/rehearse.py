"""rehearse: tests the new release, then its services in a sandbox, before it is deployed."""

from autoupdate.app import App
from autoupdate.model.events import REHEARSED
from autoupdate.model.steps import Step
from autoupdate.records.rows import Release, Transaction
from autoupdate.update.rehearsal.services import rehearse_services


def rehearse(app: App, transaction: Transaction, release: Release) -> Release:
    """Return the release if its tests pass. Raises UpdateFailedError, HostFaultError."""
    app.records.enter(transaction.id, Step.REHEARSE, app.clock.now())
    old = app.records.release(transaction.previous)
    same = old is not None and release.environment == old.environment
    for warning in app.worker.rehearse(
        release.id, transaction.previous, app.settings.rehearse, same_packages=same,
        started=app.host.services.programs(app.settings.services),
    ):  # fmt: skip
        app.tell(REHEARSED, f"{app.name}: release {release.id}: {warning}",
                 commit=release.commit, release=release.id)  # fmt: skip
    rehearse_services(app, release)
    return release
