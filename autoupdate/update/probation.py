"""probation: the services restart on the new release, and are watched."""

from collections.abc import Mapping, Sequence

from autoupdate.app import App
from autoupdate.host import runtime_files
from autoupdate.host.health import Baseline, UnhealthyError, settle, soak
from autoupdate.host.services import Service
from autoupdate.model.errors import AutoupdateError
from autoupdate.model.events import NO_SUPERVISOR, STEP, UPDATED
from autoupdate.model.steps import Result, Step
from autoupdate.records.records import Records
from autoupdate.records.rows import Transaction

# So many transactions without anything switched are not looked behind.
LOOK_BACK = 50


def probation(app: App, transaction: Transaction, stopped: Sequence[str]) -> tuple[str, ...]:
    """Restart the services and watch them, those included that were `stopped` for the switch.

    Returns those that cannot be watched yet, because they wait for the end of this run to start.
    Raises UnhealthyError, AutoupdateError.
    """
    baselines, waiting = restart(app, transaction, stopped)
    if waiting:
        app.host.services.watch_later(app.name)
    else:
        watch(app, baselines)
    announce(app, transaction)
    return waiting


def restart(
    app: App, transaction: Transaction, stopped: Sequence[str]
) -> tuple[dict[str, Baseline], tuple[str, ...]]:
    """Restart what runs; return what is to be watched, and what waits for this run to start.

    Raises AutoupdateError.
    """
    present = [service for service in look(app) if service.exists]
    waiting = tuple(service.name for service in present if service.waits_for_gate)
    # Those that were stopped for a copy of their files, or restarted by a run that died since.
    down = left_broken(app.records)
    known = [*stopped, *(item.name for item in present if item.crashed and item.name in down)]
    running = [
        service
        for service in present
        if service.runs or (service.name in known and not service.waits_for_gate)
    ]
    names = [service.name for service in running]
    app.records.set_services(transaction.id, [*names, *waiting])
    app.keep_second_copy()
    if not transaction.previous and has_deployed(app, transaction.release):
        retry_failed(app, present, names)
    app.host.services.restart(names)
    # Recorded after the restart: a run that dies in between restarts them once more, rather than
    # watching services that still run the old release.
    app.records.enter(transaction.id, Step.PROBATION, app.clock.now())
    return after_restart(running), waiting


def has_deployed(app: App, release: str) -> bool:
    """Tell whether another release was deployed before this one, whatever became of it."""
    return any(item.activated_at and item.id != release for item in app.records.releases())


def left_broken(records: Records) -> list[str]:
    """Return the services that ran on no release any more, unless it went well since then."""
    for transaction in records.history(LOOK_BACK):
        if transaction.result == Result.BROKEN:
            return transaction.services.split()
        if transaction.result in (Result.UPDATED, Result.ROLLED_BACK, Result.GIVEN_BACK):
            break
    return []


def retry_failed(app: App, present: Sequence[Service], restarted: Sequence[str]) -> None:
    """Start what failed while there was no release that could run; the new one is not blamed."""
    failed = [item.name for item in present if item.crashed and item.name not in restarted]
    try:
        app.host.services.restart(failed)
    except AutoupdateError as error:
        app.tell(STEP, f"{app.name}: {error.message}")


def look(app: App) -> list[Service]:
    """Look at the app's services; say it when there is nothing to look with."""
    names = app.settings.services
    present = app.host.services.look(names)
    if names and not present:
        app.tell(NO_SUPERVISOR, f"{app.name}: no service manager answers; nothing is restarted")
    return present


def answered(app: App, names: Sequence[str]) -> list[Service]:
    """Look at services that are known to be there. Raises UnhealthyError without an answer."""
    seen = app.host.services.look(names)
    if names and not seen:
        raise UnhealthyError("no service manager answers")
    return seen


def after_restart(services: Sequence[Service]) -> dict[str, Baseline]:
    """Return what a restarted service is compared with: systemd then counts restarts from zero."""
    return {service.name: Baseline(service.invocation, 0) for service in services}


def watch(app: App, baselines: Mapping[str, Baseline]) -> None:
    """Wait for services to come up and watch them. Raises UnhealthyError."""
    if baselines:
        # From now on a service whose start waits for a run may start: the run waits for us.
        runtime_files.set_watching(app.paths)
        health = app.settings.health
        started = settle(app.host.services, baselines, health, app.clock)
        soak(app.host.services, started, health, app.clock, app.host.probe)


def announce(app: App, transaction: Transaction) -> None:
    """Log the line that users look for."""
    app.tell(
        UPDATED,
        f"Successfully updated to commit: {transaction.commit}",
        commit=transaction.commit,
        release=transaction.release,
        step=Step.ACTIVATE,
    )
