"""activate → probation → confirm | undo, where a whole directory is taken over or given back.

Before the first change everything is in the journal (relocation.py). Until it is confirmed, the
way out of every trouble is the way back: the old directory, byte for byte, and its services.
"""

import shutil
from collections.abc import Callable, Sequence

from autoupdate.adoption import disable_old_updaters, relocation
from autoupdate.adoption.host_changes import HostChanges, found
from autoupdate.adoption.relocation import ADOPT, Journal
from autoupdate.app import App, Outcome
from autoupdate.host import runtime_files
from autoupdate.host.health import UnhealthyError
from autoupdate.host.links import remove_link, replace_link
from autoupdate.host.services import Service
from autoupdate.model.errors import AutoupdateError, Exit
from autoupdate.model.events import ADOPTED, BROKEN, GIVEN_BACK, RECOVERED, ROLLED_BACK, STEP
from autoupdate.model.steps import Result, Step, may_follow
from autoupdate.records.rows import Transaction
from autoupdate.update import retention
from autoupdate.update.confirm import confirm
from autoupdate.update.probation import after_restart, look, restart, watch


def change_over(
    app: App,
    host: HostChanges,
    transaction: Transaction,
    journal: Journal,
    switch: Callable[[], None],
) -> Outcome:
    """Stop the services, `switch`, move what the journal names, start them and watch."""
    runtime_files.set_stale(app.paths)
    relocation.write(app.paths, journal)
    with runtime_files.activating(app.paths):
        try:
            activate(app, host, transaction, journal, switch)
            baselines, _ = restart(app, transaction, journal.services)
            watch(app, baselines)
        except (AutoupdateError, UnhealthyError, OSError) as error:
            return undo(app, host, journal, str(error))
        except KeyboardInterrupt:
            return undo(app, host, journal, "interrupted by hand")
        return complete(app, journal)


def activate(
    app: App,
    host: HostChanges,
    transaction: Transaction,
    journal: Journal,
    switch: Callable[[], None],
) -> None:
    """activate: with the services stopped, and nothing of the old system left that could run."""
    app.records.enter(transaction.id, Step.ACTIVATE, app.clock.now())
    app.records.set_services(transaction.id, journal.services)
    disable_old_updaters.retire(host.paths, found(journal), backups(app, journal), host.units)
    if journal.legacy:
        # It may have begun since somebody looked.
        disable_old_updaters.refuse_running(host.processes_in(journal.path))
    app.host.services.stop(journal.services)
    # First, as a link that leads nowhere would keep services from asking their gate.
    switch()
    for move in journal.moves:
        relocation.make(move, host.copy)


def backups(app: App, journal: Journal) -> str:
    """Return the directory of what one adoption puts aside."""
    return f"{app.paths.legacy}/{journal.stamp}"


def running(services: Sequence[Service]) -> tuple[str, ...]:
    """Return the names of services that are to be stopped, those at their very start included."""
    return tuple(item.name for item in services if item.runs or item.waits_for_gate)


def end_interrupted(app: App, host: HostChanges) -> Outcome | None:
    """Finish what was confirmed; undo what was not."""
    journal = relocation.read(app.paths)
    if journal is None:
        return None
    cure = "finished" if journal.confirmed else "undone"
    app.tell(RECOVERED, f"{app.name}: {journal.verb} of {journal.path} was interrupted, and is"
             f" {cure} now", commit=journal.commit, release=journal.release)  # fmt: skip
    if journal.confirmed:
        complete(app, journal)
        return None
    with runtime_files.activating(app.paths):
        return undo(app, host, journal, "it was interrupted")


def complete(app: App, journal: Journal) -> Outcome:
    """confirm: the services have proved themselves; the old directory stays where it is."""
    if not journal.confirmed:
        journal = journal._replace(confirmed=True)
        relocation.write(app.paths, journal)
    adopted = journal.verb == ADOPT
    transaction = app.records.unfinished()
    if transaction and adopted:
        confirm(app, transaction)
    elif transaction:
        now = app.clock.now()
        app.records.finish(transaction.id, Result.GIVEN_BACK, Exit.DONE, "", now)
    if adopted:
        record(app, journal)
    sweep(app)
    relocation.clear(app.paths)
    reason = done(app, journal)
    app.tell(ADOPTED if adopted else GIVEN_BACK, reason,
             commit=journal.commit, release=journal.release)  # fmt: skip
    result = Result.UPDATED if adopted else Result.GIVEN_BACK
    return Outcome(result, Exit.DONE, reason, journal.commit, journal.release)


def sweep(app: App) -> None:
    """Remove what was only made for this."""
    for directory in (app.paths.adopting, app.paths.leaving):
        shutil.rmtree(directory, ignore_errors=True)


def record(app: App, journal: Journal) -> None:
    """Write down what an adoption left, for `doctor`, `release-path` and people."""
    facts = journal._asdict() | {"at": app.clock.now(), "legacy": [
        {"kind": item.kind, "place": item.place, "text": item.text} for item in found(journal)
    ]}  # fmt: skip
    relocation.write_json(app.paths.adopted, facts)


def done(app: App, journal: Journal) -> str:
    """Say what was done, and what becomes of what was left."""
    if journal.verb == ADOPT:
        return (
            f"{app.name}: adopted {journal.path} at commit {journal.commit}; the old directory is"
            f" kept as {journal.kept} until `autoupdatectl doctor` says that it may go"
        )
    return (
        f"{app.name}: gave {journal.path} back as a plain checkout of commit {journal.commit};"
        f" nothing is updated any more. Type: systemctl disable --now autoupdate.timer"
    )


def undo(app: App, host: HostChanges, journal: Journal, fault: str) -> Outcome:
    """Put everything back as it was, and start the services on it."""
    transaction = app.records.unfinished()
    if transaction and may_follow(Step(transaction.step), Step.ROLL_BACK):
        app.records.enter(transaction.id, Step.ROLL_BACK, app.clock.now())
    app.tell(STEP, f"{app.name}: {fault}; everything goes back to where it was",
             commit=journal.commit, step=Step.ROLL_BACK)  # fmt: skip
    present = [service for service in look(app) if service.exists]
    app.host.services.stop([service.name for service in present if service.runs])
    put_back(app, host, journal)
    reason = f"{app.name}: {journal.verb} of {journal.path} was undone: {fault}"
    result, code = Result.ROLLED_BACK, Exit.FAILED
    try:
        start_again(app, journal, present)
    except (AutoupdateError, UnhealthyError) as error:
        result, code = Result.BROKEN, Exit.BROKEN
        reason += f"; its services do not run as before, either: {error}; a person is needed"
    if transaction:
        app.records.finish(transaction.id, result, code, reason, app.clock.now())
        if journal.verb == ADOPT and transaction.release:
            retention.remove(app, transaction.release)
    sweep(app)
    relocation.clear(app.paths)
    app.tell(BROKEN if result is Result.BROKEN else ROLLED_BACK, reason,
             commit=journal.commit, step=Step.ROLL_BACK)  # fmt: skip
    advice = f"journalctl -t autoupdate; systemctl status {' '.join(journal.services)}"
    return Outcome(result, code, reason, journal.commit, "", advice)


def put_back(app: App, host: HostChanges, journal: Journal) -> None:
    """Undo every change of the host that the journal names."""
    host.put_back(host.paths, app.paths, journal)
    for link, release in zip((app.paths.current, app.paths.previous), journal.links, strict=True):
        if release:
            replace_link(f"releases/{release}", link)
        else:
            remove_link(link)
    disable_old_updaters.restore_units(found(journal), host.units)


def start_again(app: App, journal: Journal, present: Sequence[Service]) -> None:
    """Start the services that ran before, and watch them. Raises AutoupdateError, UnhealthyError.

    Whoever waits for its gate starts by itself when this run ends.
    """
    stopped = [
        service
        for service in present
        if not service.waits_for_gate and (service.runs or service.name in journal.services)
    ]
    app.host.services.restart([service.name for service in stopped])
    watch(app, after_restart(stopped))
