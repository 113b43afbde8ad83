"""activate → probation → confirm | roll back: the services restart and are watched."""

from collections.abc import Mapping
from typing import NamedTuple

from autoupdate.app import App, Outcome
from autoupdate.gates import hooks
from autoupdate.gates.attempts import is_complete, left_broken
from autoupdate.gates.lineage import raise_high_water
from autoupdate.host import runtime_files
from autoupdate.host.health import Baseline, UnhealthyError, settle, soak
from autoupdate.host.links import linked_release, switch
from autoupdate.host.services import Service
from autoupdate.model.errors import AutoupdateError, Exit
from autoupdate.model.events import BROKEN, CONFIRMED, NO_SUPERVISOR, ROLLED_BACK, STEP, UPDATED
from autoupdate.model.steps import Result, Step
from autoupdate.records.records import Transaction
from autoupdate.records.second_copy import keep_facts
from autoupdate.update import retention
from autoupdate.update.failure import blame_for_running_badly


class Restarted(NamedTuple):
    """The services that were restarted, and those that wait for the end of this run to start."""

    baselines: Mapping[str, Baseline]
    waiting: tuple[str, ...]


def begin_probation(app: App, transaction: Transaction) -> Restarted | str:
    """Restart what runs; return what is to be watched, or why that failed."""
    present = [service for service in look(app) if service.exists]
    waiting = tuple(service.name for service in present if service.waits_for_gate)
    # Those that were stopped for a copy of their files, or restarted by a run that died since.
    known = app.store.transaction(transaction.id).services.split()
    known += [item.name for item in present if item.crashed and item.name in left_broken(app.store)]
    running = [
        service
        for service in present
        if service.runs or (service.name in known and not service.waits_for_gate)
    ]
    names = [service.name for service in running]
    app.store.set_services(transaction.id, [*names, *waiting])
    keep_facts(app)
    if not transaction.previous and has_deployed(app, transaction.release):
        retry_failed(app, present, names)
    try:
        app.services.restart(names)
    except AutoupdateError as error:
        return error.message
    # Recorded after the restart: a run that dies in between restarts them once more, rather than
    # watching services that still run the old release.
    app.store.enter(transaction.id, Step.PROBATION, app.clock.now())
    return Restarted(after_restart(running), waiting)


def has_deployed(app: App, release: str) -> bool:
    """Tell whether another release was deployed before this one, whatever became of it."""
    return any(item.activated_at and item.id != release for item in app.store.releases())


def retry_failed(app: App, present: list[Service], restarted: list[str]) -> None:
    """Start what failed while there was no release that could run; the new one is not blamed."""
    failed = [item.name for item in present if item.crashed and item.name not in restarted]
    try:
        app.services.restart(failed)
    except AutoupdateError as error:
        app.tell(STEP, f"{app.name}: {error.message}")


def look(app: App) -> list[Service]:
    """Look at the app's services; say it when there is nothing to look with."""
    names = app.settings.services
    present = app.services.look(names)
    if names and not present:
        app.tell(NO_SUPERVISOR, f"{app.name}: no service manager answers; nothing is restarted")
    return present


def after_restart(services: list[Service]) -> dict[str, Baseline]:
    """Return what a restarted service is compared with: systemd then counts restarts from zero."""
    return {service.name: Baseline(service.invocation, 0) for service in services}


def watch(app: App, transaction: Transaction, restarted: Restarted | str) -> Outcome:
    """Watch the restarted services; confirm the release, or roll back."""
    if isinstance(restarted, str):
        return roll_back(app, transaction, restarted)
    commit, release = transaction.commit, transaction.release
    if restarted.waiting:
        # They start when this run ends, and so can only be watched after it.
        app.services.watch_later(app.name)
        announce(app, transaction)
        reason = f"updated {app.name} to commit {commit}; {', '.join(restarted.waiting)} to follow"
        return Outcome(Result.UPDATED, Exit.DONE, reason, commit, release)
    try:
        soak_all(app, restarted.baselines)
    except UnhealthyError as error:
        return roll_back(app, transaction, str(error))
    announce(app, transaction)
    return confirm(app, transaction)


def soak_all(app: App, baselines: Mapping[str, Baseline]) -> None:
    """Wait for services to come up and watch them. Raises UnhealthyError."""
    if baselines:
        # From now on a service whose start waits for a run may start: the run waits for us.
        runtime_files.set_watching(app.paths)
        health = app.settings.health
        started = settle(app.services, baselines, health, app.clock)
        soak(app.services, started, health, app.clock, app.probe)


def resume(app: App, transaction: Transaction) -> Outcome:
    """Go on with a probation that another process began.

    Services that are down get a second chance: what ended that process may have ended them. After a
    boot, those are left alone that do not start with it.
    """
    present = [
        item
        for item in app.services.look(transaction.services.split())
        if item.exists and not item.never_started
    ]
    down = [service for service in present if service.crashed]
    baselines = {service.name: Baseline("", service.restarts) for service in present}
    try:
        app.services.restart([service.name for service in down])
        soak_all(app, baselines | after_restart(down))
    except (UnhealthyError, AutoupdateError) as error:
        return roll_back(app, transaction, str(error))
    return confirm(app, transaction)


def announce(app: App, transaction: Transaction) -> None:
    """Log the line that users look for."""
    app.tell(
        UPDATED,
        f"Successfully updated to commit: {transaction.commit}",
        commit=transaction.commit,
        release=transaction.release,
        step=Step.ACTIVATE,
    )


def confirm(app: App, transaction: Transaction) -> Outcome:
    """confirm: the release has proved itself."""
    commit, release = transaction.commit, transaction.release
    reason = f"{app.name}: release {release} is confirmed at commit {commit}"
    # What is told and what is recorded count together: nobody is told twice, or not at all.
    with app.store.atomic():
        app.store.forgive(commit)
        raise_high_water(app, commit)
        app.store.finish(transaction.id, Result.UPDATED, Exit.DONE, "", app.clock.now())
        app.tell(CONFIRMED, reason, commit=commit, release=release)
    app.snapshots.drop(transaction.id)
    hooks.after(app, transaction, Result.UPDATED)
    retention.prune(app)
    return Outcome(Result.UPDATED, Exit.DONE, reason, commit, release)


def roll_back(app: App, transaction: Transaction, fault: str) -> Outcome:
    """Go back to the release before; restart, watch, and put the commit into quarantine."""
    transaction = app.store.transaction(transaction.id)
    commit, release, good = transaction.commit, transaction.release, transaction.previous
    if transaction.step != Step.ROLL_BACK:
        # In this order: a way back that is interrupted must not take the same commit once more.
        blame_for_running_badly(app, transaction, fault)
        app.store.enter(transaction.id, Step.ROLL_BACK, app.clock.now())
        keep_facts(app)
    if not good or not is_complete(app.paths, good):
        # What was to be gone back to is gone itself; what ran before that may be there.
        good = retention.before(app, release, release)
    if not good:
        reason = f"{app.name}: commit {commit} does not run ({fault}), and there is no release"
        return end(app, transaction, Result.BROKEN, f"{reason} to go back to; it was left in place")
    app.tell(STEP, f"{app.name}: {fault}; going back to release {good}",
             commit=commit, release=good, step=Step.ROLL_BACK)  # fmt: skip
    hooks.before_roll_back(app, transaction)
    switch(app.paths, good, retention.before(app, good, release))
    app.store.set_activated(good, app.clock.now())
    names = concerned(app, transaction)
    try:
        if put_back(app, transaction, names):
            app.tell(STEP, f"{app.name}: shared files put back as they were before",
                     commit=commit, release=good, step=Step.ROLL_BACK)  # fmt: skip
        present = [service for service in answered(app, names) if service.exists]
        app.services.restart([service.name for service in present])
        soak_all(app, after_restart(present))
    except (UnhealthyError, AutoupdateError) as error:
        reason = f"{app.name}: commit {commit} does not run ({fault}), and neither does {good} now"
        return end(app, transaction, Result.BROKEN, f"{reason} ({error}); a person is needed")
    app.snapshots.drop(transaction.id)
    if not by_hand(transaction):
        retention.remove_unless_used(app, release)
    before = app.store.release(good)
    reason = (
        f"{app.name}: rolled back from commit {commit} to {before.commit if before else good}:"
        f" {fault}"
    )
    return end(app, transaction, Result.ROLLED_BACK, reason)


def answered(app: App, names: list[str]) -> list[Service]:
    """Look at services that are known to be there. Raises UnhealthyError without an answer."""
    seen = app.services.look(names)
    if names and not seen:
        raise UnhealthyError("no service manager answers")
    return seen


def concerned(app: App, transaction: Transaction) -> list[str]:
    """Return the services to put on the good release: those of the update, and what runs since."""
    known = transaction.services.split()
    running = [service.name for service in look(app) if service.runs]
    return known + [name for name in running if name not in known]


def put_back(app: App, transaction: Transaction, names: list[str]) -> bool:
    """Put shared files back, with the services stopped; tell whether there were any to put back."""
    if not app.settings.shared_snapshot:
        return False
    app.services.stop(names)
    return app.snapshots.restore(transaction.id)


def by_hand(transaction: Transaction) -> bool:
    """Tell whether an administrator asked for the way back."""
    return transaction.trigger == "rollback"


def end(app: App, transaction: Transaction, result: Result, reason: str) -> Outcome:
    """Record and tell that a release did not prove itself."""
    broken = result is Result.BROKEN
    wanted = Exit.DONE if by_hand(transaction) else Exit.FAILED
    code = Exit.BROKEN if broken else wanted
    current = linked_release(app.paths.current)
    with app.store.atomic():
        app.store.finish(transaction.id, result, code, reason, app.clock.now())
        app.tell(BROKEN if broken else ROLLED_BACK, reason,
                 commit=transaction.commit, release=current, step=Step.ROLL_BACK)  # fmt: skip
    hooks.after(app, transaction, result)
    advice = f"journalctl -t autoupdate; systemctl status {transaction.services or app.name}"
    return Outcome(result, code, reason, transaction.commit, current, advice)
