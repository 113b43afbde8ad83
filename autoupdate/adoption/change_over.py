"""activate → probation → confirm | undo, for a directory that is adopted or given back.

The journal (relocation.py) lists every change before the first one. Until it is confirmed, any
failure is undone: the old directory is restored byte for byte, and its services start again.
"""

import shutil
from collections.abc import Callable, Sequence

from autoupdate.adoption import disable_old_updaters, relocation
from autoupdate.adoption.host_changes import HostChanges, found
from autoupdate.adoption.old_updaters import OldUpdater
from autoupdate.adoption.relocation import ADOPT, Journal
from autoupdate.app import App, Outcome
from autoupdate.config.run_from import DEFAULT_APP
from autoupdate.host import runtime_files
from autoupdate.host.links import remove_link, replace_link
from autoupdate.host.services import Service
from autoupdate.model.commits import short
from autoupdate.model.errors import AutoupdateError, Exit
from autoupdate.model.events import ADOPTED, BROKEN, GIVEN_BACK, RECOVERED, ROLLED_BACK, STEP
from autoupdate.model.steps import Result, Step, may_follow
from autoupdate.records.rows import Transaction
from autoupdate.update import retention
from autoupdate.update.confirm import confirm
from autoupdate.update.health import UnhealthyError
from autoupdate.update.probation import after_restart, look, restart, watch
from autoupdate.update.recover import recover


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
            baselines, _ = restart(app, transaction, journal.services, {})
            watch(app, baselines)
        except (AutoupdateError, UnhealthyError, OSError) as error:
            return undo(app, host, journal, str(error))
        except KeyboardInterrupt:
            return undo(app, host, journal, "interrupted by a signal")
        return complete(app, host, journal)


def activate(
    app: App,
    host: HostChanges,
    transaction: Transaction,
    journal: Journal,
    switch: Callable[[], None],
) -> None:
    """activate: disable the old updaters, stop the services, make the moves."""
    app.records.enter(transaction.id, Step.ACTIVATE, app.clock.now())
    app.records.set_services(transaction.id, journal.services)
    disable_old_updaters.disable(host.paths, found(journal), backups(app, journal), host.units)
    if journal.legacy:
        # An old updater may have started since the first check.
        disable_old_updaters.refuse_running(host.processes_in(journal.path))
    app.host.services.stop(journal.services)
    # First: with a dangling link, services would fail before they ask their gate.
    switch()
    for move in journal.moves:
        relocation.make(move, host.copy)


def backups(app: App, journal: Journal) -> str:
    """Return the directory for what one adoption puts aside."""
    return f"{app.paths.legacy}/{journal.stamp}"


def running(services: Sequence[Service]) -> tuple[str, ...]:
    """Return the names of the services to stop; those that wait for their gate, too."""
    return tuple(item.name for item in services if item.runs or item.waits_for_gate)


def end_interrupted(app: App, host: HostChanges) -> Outcome | None:
    """Finish an interrupted change if it was confirmed; otherwise undo it."""
    journal = relocation.read(app.paths)
    if journal is None:
        return None
    cure = "finished" if journal.confirmed else "undone"
    app.tell(RECOVERED, f"{app.name}: {journal.verb} of {journal.path} was interrupted; it is"
             f" {cure} now", commit=journal.commit, release=journal.release)  # fmt: skip
    if journal.confirmed:
        complete(app, host, journal)
        return None
    with runtime_files.activating(app.paths):
        return undo(app, host, journal, "it was interrupted")


def complete(app: App, host: HostChanges, journal: Journal) -> Outcome:
    """confirm: the services passed the probation; the old directory is kept."""
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
    enabled = () if adopted else enable_again(app, host)
    if adopted:
        record(app, journal)
    sweep(app)
    relocation.clear(app.paths)
    reason = done(app, journal, enabled)
    app.tell(ADOPTED if adopted else GIVEN_BACK, reason,
             commit=journal.commit, release=journal.release)  # fmt: skip
    result = Result.UPDATED if adopted else Result.GIVEN_BACK
    return Outcome(result, Exit.DONE, reason, journal.commit, journal.release)


def sweep(app: App) -> None:
    """Remove the temporary directories."""
    for directory in (app.paths.adopting, app.paths.leaving):
        shutil.rmtree(directory, ignore_errors=True)


def record(app: App, journal: Journal) -> None:
    """Write what an adoption left to a file, for `doctor`, `release-path` and people."""
    facts = journal._asdict() | {"at": app.clock.now(), "legacy": [
        {"place": item.place, **item._asdict()} for item in found(journal)
    ]}  # fmt: skip
    relocation.write_json(app.paths.adopted, facts)


def enable_again(app: App, host: HostChanges) -> Sequence[OldUpdater]:
    """Enable the old updaters that the adoption disabled: the checkout is theirs again."""
    facts = relocation.adoption(app.paths)
    try:
        updaters = [OldUpdater(**{key: item[key] for key in OldUpdater._fields})
                    for item in facts.get("legacy", [])]  # fmt: skip
        disable_old_updaters.restore_files(host.paths, updaters)
        disable_old_updaters.restore_units(updaters, host.units)
        if updaters:
            relocation.write_json(app.paths.adopted, facts | {"legacy": []})
    except (AutoupdateError, OSError, KeyError, TypeError) as error:
        # Those of an older version are listed without what is needed here.
        app.tell(STEP, f"{app.name}: the old updaters that adopt disabled are not enabled again:"
                 f" {error}; they are listed in {app.paths.adopted}")  # fmt: skip
        return ()
    return updaters


def done(app: App, journal: Journal, enabled: Sequence[OldUpdater] = ()) -> str:
    """Say what was done, and what to do with what was left."""
    if journal.verb == ADOPT:
        return (
            f"{app.name}: adopted {journal.path} at commit {short(journal.commit)}; the old"
            f" directory is kept as {journal.kept};"
            " `autoupdatectl doctor` reports when it can be removed"
        )
    updated = "and is not updated any more"
    if enabled:
        updated = f"and its old updaters are enabled: {', '.join(item.place for item in enabled)}"
    return (
        f"{app.name}: {journal.path} is a plain checkout of commit {short(journal.commit)} now,"
        f" {updated}; to stop the timer: systemctl disable --now {timer_of(app.name)}"
    )


def timer_of(app: str) -> str:
    """Return the timer of an app."""
    return "autoupdate.timer" if app == DEFAULT_APP else f"autoupdate@{app}.timer"


def refuse_unwatched(app: App) -> Outcome | None:
    """End an interrupted run; return an outcome if that cannot be done now: nothing else is."""
    outcome = recover(app)
    if outcome is None or outcome.exit_code != Exit.DONE:
        return outcome
    return outcome._replace(
        result=Result.REFUSED, exit_code=Exit.FAILED,
        reason=f"{outcome.reason}, so nothing was done",
        advice=f"wait until the probation has ended, see: autoupdatectl status {app.name};"
        " then try again",
    )  # fmt: skip


def undo(app: App, host: HostChanges, journal: Journal, fault: str) -> Outcome:
    """Undo every change, and start the services again."""
    transaction = app.records.unfinished()
    if transaction and may_follow(Step(transaction.step), Step.ROLL_BACK):
        app.records.enter(transaction.id, Step.ROLL_BACK, app.clock.now())
    app.tell(STEP, f"{app.name}: {fault}; every change is undone now",
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
        reason += f"; its services did not start again, either: {error}; manual action needed"
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

    A service that waits for its gate starts when this run ends.
    """
    stopped = [
        service
        for service in present
        if not service.waits_for_gate and (service.runs or service.name in journal.services)
    ]
    app.host.services.restart([service.name for service in stopped])
    watch(app, after_restart(stopped))
