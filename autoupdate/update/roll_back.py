"""roll back: deploys the previous release again; the commit that did not run is in quarantine."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from autoupdate.app import App, Outcome
from autoupdate.gates import hooks
from autoupdate.gates.runnable import is_complete
from autoupdate.host.links import linked_release, switch
from autoupdate.host.probes import describe
from autoupdate.model.commits import short
from autoupdate.model.errors import AutoupdateError, Exit
from autoupdate.model.events import BROKEN, ROLLED_BACK, STEP
from autoupdate.model.steps import Result, Step
from autoupdate.records import probes
from autoupdate.records.rows import Transaction
from autoupdate.update import retention
from autoupdate.update.failure import blame_for_running_badly, is_alike
from autoupdate.update.health import ProbeFailedError, UnhealthyError
from autoupdate.update.probation import after_restart, answered, look, watch

MANUAL = "manual action needed"
NOTHING: Mapping[str, str] = MappingProxyType({})


def roll_back(
    app: App,
    transaction: Transaction,
    fault: str,
    untouched: Mapping[str, str] = NOTHING,
) -> Outcome:
    """Put the commit into quarantine, switch to the previous release, restart and watch.

    `untouched` are services that were not restarted by the update, with their invocations then.
    """
    transaction = app.records.transaction(transaction.id)
    commit, release = transaction.commit, transaction.release
    if transaction.step != Step.ROLL_BACK:
        # First, so that an interrupted rollback does not deploy the same commit again.
        blame_for_running_badly(app, transaction, fault)
        app.records.enter(transaction.id, Step.ROLL_BACK, app.clock.now())
        app.keep_second_copy()
    # A release without a record has no commit that is known.
    left = f"commit {short(commit)}" if commit else f"release {release}"
    bad = f"{app.name}: {left} does not run ({fault})"
    if is_by_hand(transaction):
        bad = f"{app.name}: the rollback from {left} failed ({fault})"
    good = release_before(app, transaction)
    if not good:
        reason = f"{bad}; there is no release to roll back to, so it is kept; {MANUAL}"
        return end(app, transaction, Result.BROKEN, reason)
    why = "by hand" if is_by_hand(transaction) else f"because {fault}"
    app.tell(STEP, f"{app.name}: rolling back to release {good}, {why}",
             commit=commit, release=good, step=Step.ROLL_BACK)  # fmt: skip
    hooks.before_roll_back(app, transaction)
    switch(app.paths, good, retention.before(app, good, release))
    app.records.set_activated(good, app.clock.now())
    try:
        run_again(app, transaction, good, untouched)
    except ProbeFailedError as error:
        if not fault.startswith(describe(error.probe)):
            return stay_broken(app, transaction, good, bad, error)
        fault = forgive_for_probe(app, transaction, good, fault, error)
    except (UnhealthyError, AutoupdateError) as error:
        bad += pardon(app, transaction, fault, str(error))
        return stay_broken(app, transaction, good, bad, error)
    app.host.snapshots.drop(transaction.id)
    if not is_by_hand(transaction):
        retention.remove_unless_used(app, release)
    before = app.records.release(good)
    reason = (
        f"{app.name}: rolled back from {left} to"
        f" {short(before.commit) if before else good}: {fault}"
    )
    return end(app, transaction, Result.ROLLED_BACK, reason)


def pardon(app: App, transaction: Transaction, fault: str, of_good: str) -> str:
    """Take a commit out of quarantine if the release before it fails in the same way; say so."""
    if is_by_hand(transaction) or not is_alike(fault, of_good):
        return ""
    app.records.take_out_of_quarantine(transaction.commit)
    why = "the commit is not put into quarantine, because the release before it fails as it does"
    # As an interruption: services are not kept down until it is deployed.
    app.records.count_attempt(
        transaction.commit, f"{fault}; {why}", app.clock.now(), interrupted=True
    )
    return f"; {why}"


def stay_broken(
    app: App, transaction: Transaction, good: str, bad: str, error: Exception
) -> Outcome:
    """End a rollback after which the services do not run either."""
    reason = f"{bad}; release {good}, which is current now, does not run ({error}); {MANUAL}"
    return end(app, transaction, Result.BROKEN, reason)


def forgive_for_probe(
    app: App, transaction: Transaction, good: str, fault: str, error: ProbeFailedError
) -> str:
    """Take a commit out of quarantine, as the probe that it failed fails on the good release, too.

    Returns the reason of the rollback.
    """
    now, commit = app.clock.now(), transaction.commit
    reason = f"{fault}; release {good} fails this probe, too, so that the commit is not blamed"
    with app.records.atomic():
        app.records.forgive(commit)
        app.records.count_attempt(commit, reason, now, interrupted=True)
        probes.set_fault(app.records, error.probe, str(error), now)
    return f"{reason}: correct health.probe in the settings"


def release_before(app: App, transaction: Transaction) -> str:
    """Return the release to roll back to; empty if there is none."""
    good = transaction.previous
    if good and is_complete(app.paths, good):
        return good
    # The previous release is gone; use an older one.
    return retention.before(app, transaction.release, transaction.release)


def run_again(app: App, transaction: Transaction, good: str, untouched: Mapping[str, str]) -> None:
    """Restart the services on the release that is current again. Raises UnhealthyError."""
    names = concerned(app, transaction, untouched)
    if put_back(app, transaction, names):
        app.tell(STEP, f"{app.name}: shared files restored as they were before the update",
                 commit=transaction.commit, release=good, step=Step.ROLL_BACK)  # fmt: skip
    present = [service for service in answered(app, names) if service.exists]
    app.host.services.restart([service.name for service in present])
    watch(app, after_restart(present))


def concerned(app: App, transaction: Transaction, untouched: Mapping[str, str]) -> list[str]:
    """Return the services to restart: those of the update, and those that were started since."""
    known = transaction.services.split()
    running = [
        service.name
        for service in look(app)
        if (service.runs or (service.crashed and service.name in untouched))
        and untouched.get(service.name) != service.invocation
    ]
    return known + [name for name in running if name not in known]


def put_back(app: App, transaction: Transaction, names: Sequence[str]) -> bool:
    """Stop the services and restore the shared files; return whether there was a copy of them."""
    if not app.settings.shared_snapshot:
        return False
    app.host.services.stop(names)
    return app.host.snapshots.restore(transaction.id)


def is_by_hand(transaction: Transaction) -> bool:
    """Return whether the administrator started the rollback."""
    return transaction.trigger == "rollback"


def end(app: App, transaction: Transaction, result: Result, reason: str) -> Outcome:
    """Record and report how a rollback ended."""
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
