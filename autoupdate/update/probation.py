"""probation: restarts the services on the new release and watches them."""

from collections.abc import Mapping, Sequence

from autoupdate.app import App
from autoupdate.config.run_from import elsewhere
from autoupdate.gates.order import RefusedError
from autoupdate.host import runtime_files
from autoupdate.host.links import linked_release
from autoupdate.host.services import Service
from autoupdate.model.errors import AutoupdateError
from autoupdate.model.events import LOST_UNIT, NO_SUPERVISOR, STEP, UPDATED
from autoupdate.model.steps import Result, Step
from autoupdate.model.verdict import Verdict
from autoupdate.records import probes
from autoupdate.records.records import Records
from autoupdate.records.rows import Transaction
from autoupdate.update.health import (
    Baseline,
    FirstServiceError,
    ProbeFailedError,
    UnhealthyError,
    settle,
    soak,
    try_probe,
)

# Only this many of the last transactions are searched.
LOOK_BACK = 50


def probation(app: App, transaction: Transaction, stopped: Sequence[str]) -> tuple[str, ...]:
    """Restart the services, including those that were `stopped` for the switch, and watch them.

    Returns the services that cannot be watched yet, because they start when this run has ended.
    Raises UnhealthyError, AutoupdateError.
    """
    # All are down while their files are copied: none is left that could wait.
    tried = {} if app.settings.shared_snapshot else try_first(app, transaction)
    baselines, waiting = restart(app, transaction, stopped, tried)
    if waiting:
        app.host.services.watch_later(app.name)
    else:
        watch(app, baselines)
    announce(app, transaction)
    return waiting


def try_first(app: App, transaction: Transaction) -> dict[str, Baseline]:
    """Restart the service of `health.first` alone, and watch it; the others keep running.

    Returns its baseline; nothing if it does not run, or runs alone.
    Raises FirstServiceError, AutoupdateError.
    """
    running = [service for service in look(app) if service.runs]
    first = [service for service in running if service.name == app.settings.health.first]
    if not first or len(running) == 1:
        return {}
    (name,) = [service.name for service in first]
    app.tell(STEP, f"{app.name}: {name} is restarted first, and watched before the others",
             commit=transaction.commit, release=transaction.release)  # fmt: skip
    app.records.set_services(transaction.id, [name])
    app.host.services.restart([name])
    baselines = after_restart(first)
    try:
        watch(app, baselines)
    except UnhealthyError as error:
        others = {service.name: service.invocation for service in running if service not in first}
        raise FirstServiceError(str(error), others) from None
    return baselines


def restart(
    app: App, transaction: Transaction, stopped: Sequence[str], tried: Mapping[str, Baseline]
) -> tuple[dict[str, Baseline], tuple[str, ...]]:
    """Restart the running services; return those to watch, and those that wait for this run.

    `tried` runs on the release already. Raises AutoupdateError.
    """
    seen = look(app)
    for service in seen:
        if service.has_lost_its_unit:
            app.tell(LOST_UNIT, f"{app.name}: {service.name} still runs the release before, as its"
                     f" unit is {'masked' if service.load == 'masked' else 'gone'}",
                     commit=transaction.commit, release=transaction.release)  # fmt: skip
    present = [service for service in seen if service.exists]
    waiting = tuple(service.name for service in present if service.waits_for_gate)
    # Services that were stopped to copy their files, or that failed with the last release.
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
    app.host.services.restart([name for name in names if name not in tried])
    # Recorded after the restart: a run that dies in between restarts them once more, rather than
    # watching services that still run the old release.
    app.records.enter(transaction.id, Step.PROBATION, app.clock.now())
    return {**after_restart(running), **tried}, waiting


def has_deployed(app: App, release: str) -> bool:
    """Return whether another release was ever deployed before this one."""
    return any(item.activated_at and item.id != release for item in app.records.releases())


def left_broken(records: Records) -> list[str]:
    """Return the services of the last rollback that failed, if no release has run since."""
    for transaction in records.history(LOOK_BACK):
        if transaction.result == Result.BROKEN:
            return transaction.services.split()
        if transaction.result in (Result.UPDATED, Result.ROLLED_BACK, Result.GIVEN_BACK):
            break
    return []


def retry_failed(app: App, present: Sequence[Service], restarted: Sequence[str]) -> None:
    """Restart services that failed while no release could run; they are not watched."""
    failed = [item.name for item in present if item.crashed and item.name not in restarted]
    try:
        app.host.services.restart(failed)
    except AutoupdateError as error:
        app.tell(STEP, f"{app.name}: {error.message}")


def look(app: App) -> list[Service]:
    """Return the state of the app's services; log it if no service manager answers.

    A service that runs from another place is not one of them, as no update changes it. Those that
    do something and end are left out: one that is under way ends on its release, and the next start
    is on the new one.
    """
    names = app.settings.services
    present = app.host.services.look(names)
    if names and not present:
        app.tell(NO_SUPERVISOR, f"{app.name}: no service manager answers; nothing is restarted")
    return ours(app, [service for service in present if not service.is_task])


def ours(app: App, services: Sequence[Service]) -> list[Service]:
    """Return those of some services whose units do not lead to another place than the path."""
    units = app.host.services.directives([service.name for service in services])
    away = elsewhere(units, app.settings.path, app.paths)
    return [service for service in services if service.name not in away]


def refuse_dynamic_users(app: App) -> None:
    """Raise RefusedError for a service whose user does not exist before its start.

    Nobody could give the shared files to it, so that it would fail at its first write.
    """
    if not app.settings.shared:
        return
    names = [item.name for item in look(app) if item.has_dynamic_user]
    if names:
        reason = f"{', '.join(names)} has DynamicUser=yes: it cannot write to what is shared"
        advice = "set User= and DynamicUser=no in a drop-in, or use StateDirectory= and no shared"
        raise RefusedError(Verdict("services", False, reason, advice, is_fault=True))


def answered(app: App, names: Sequence[str]) -> list[Service]:
    """Return the state of services that exist. Raises UnhealthyError if nothing answers."""
    seen = app.host.services.look(names)
    if names and not seen:
        raise UnhealthyError("no service manager answers")
    return seen


def after_restart(services: Sequence[Service]) -> dict[str, Baseline]:
    """Return the baseline of restarted services; systemd counts their restarts from zero."""
    return {service.name: Baseline(service.invocation, 0) for service in services}


def watch(app: App, baselines: Mapping[str, Baseline]) -> None:
    """Wait until services are up, then watch them. Raises UnhealthyError."""
    if baselines:
        # A service whose start waits for this run may start now; else both would wait.
        runtime_files.set_watching(app.paths)
        health = app.settings.health
        started = settle(app.host.services, baselines, health, app.clock)
        soak(app.host.services, started, health, app.clock, app.host.probe)
        tried = [probe for probe in health.probe if probe.service in ("", *baselines)]
        if tried:
            probes.set_passed(app.records, tried, app.clock.now())


def try_probes(app: App, *, force: bool) -> None:
    """Try the probes on what runs now: one that fails there must not be held against a commit.

    A probe that passed here before is right, so what runs is sick, and the update may heal it. The
    same is true for services that are down. Raises RefusedError.
    """
    if force or not linked_release(app.paths.current):
        return
    for probe in app.settings.health.probe:
        names = [probe.service] if probe.service else list(app.settings.services)
        before = up(app, names)
        if not before:
            continue
        try:
            try_probe(probe, app.host.probe, app.clock)
        except ProbeFailedError as error:
            if up(app, names) != before:
                continue
            if probes.has_passed(app.records, probe):
                app.tell(STEP, f"{app.name}: what runs now is not healthy ({error}); the update"
                         " goes on, as it may heal it")  # fmt: skip
                continue
            probes.set_fault(app.records, probe, str(error), app.clock.now())
            reason = (
                f"the {error}; it fails on what runs now, so nothing is switched, and the commit"
                " is not blamed: the probe, or what runs, is wrong"
            )
            advice = (
                f"correct health.probe in the settings of {app.name}; if only the new release can"
                f" pass it: autoupdatectl run --force {app.name}"
            )
            raise RefusedError(Verdict("probe", False, reason, advice, is_fault=True)) from None
        else:
            probes.set_passed(app.records, [probe], app.clock.now())


def up(app: App, names: Sequence[str]) -> set[tuple[str, str]]:
    """Return the services that are up, each with its invocation."""
    return {
        (service.name, service.invocation)
        for service in app.host.services.look(names)
        if service.active == "active"
    }


def announce(app: App, transaction: Transaction) -> None:
    """Log the line that users search for."""
    app.tell(
        UPDATED,
        f"Successfully updated to commit: {transaction.commit}",
        commit=transaction.commit,
        release=transaction.release,
        step=Step.ACTIVATE,
    )
