"""One run of an app, whoever started it: lock, update, record how it ended."""

import os
from collections.abc import Callable
from contextlib import suppress

from autoupdate.app import App, Outcome
from autoupdate.gates.attempts import stuck
from autoupdate.gates.runnable import deployed, useless_current
from autoupdate.gates.signatures import review
from autoupdate.host import runtime_files
from autoupdate.host.links import linked_release
from autoupdate.host.services import confirm_unit
from autoupdate.host.shared import is_handed_over
from autoupdate.model.errors import (
    AutoupdateError,
    ConfigurationError,
    Exit,
    Interrupted,
    PackageRemovedError,
    describe,
)
from autoupdate.model.events import FAILED, RECOVERED, STATE_RENEWED, STEP
from autoupdate.model.steps import Result, Step
from autoupdate.notifications import alerts
from autoupdate.records import hold as holds
from autoupdate.records import pin as pins
from autoupdate.records.database import DamagedStateError, StateError
from autoupdate.records.rows import LastRun, Transaction
from autoupdate.records.second_copy import begin_anew, has_facts
from autoupdate.update.by_hand import rollback
from autoupdate.update.failure import if_removed
from autoupdate.update.rebuild import rebuild
from autoupdate.update.recover import recover
from autoupdate.update.retention import clear_away, waiting
from autoupdate.update.update import update

# In these steps services may be down, or run a release that nobody watches.
SWITCHING = (Step.ACTIVATE, Step.PROBATION, Step.ROLL_BACK)
RESULTS = {Exit.UNREACHABLE: Result.UNREACHABLE, Exit.USAGE: Result.REFUSED}


def one_run(
    app: App,
    *,
    wait: bool,
    force: bool = False,
    back_to: str | None = None,
    refusal: ConfigurationError | None = None,
) -> Outcome:
    """Run one update, or roll back to a release (empty: the previous one), under the app's lock.

    `refusal`: the settings files cannot be used, so that an interrupted run is finished or undone,
    by the last valid settings, and nothing is begun.
    Raises BusyError and NotPermittedError; every other failure is an outcome.
    """
    outcome = locked_run(app, wait=wait, force=force, back_to=back_to, refusal=refusal)
    clear_away(app)
    return outcome


def locked_run(
    app: App, *, wait: bool, force: bool, back_to: str | None, refusal: ConfigurationError | None
) -> Outcome:
    """Do the run, as one_run says."""
    with runtime_files.exclusive(app.paths, app.name, wait=wait):
        started = app.clock.now()
        wishes = runtime_files.requests(app.paths)
        if back_to is None and refusal is None and wishes and runtime_files.is_fresh(app.paths):
            # The start of another service has just checked upstream.
            reason = f"{app.name}: the last check is still fresh"
            return Outcome(Result.CURRENT, Exit.DONE, reason)
        try:
            if refusal:
                outcome = refuse(app, refusal)
            else:
                outcome = attempt(app, wishes, force=force, back_to=back_to)
            if app.settings.trust.signatures != "off":
                review(app)
            if back_to is None or outcome.result is not Result.REFUSED:
                remember(app, outcome, started)
            let_services_start(app, outcome)
        except DamagedStateError as error:
            app.records.close()
            app = app._replace(records=begin_anew(app.paths))
            kept = f"kept as {app.paths.state}.damaged; a new one was made"
            app.tell(STATE_RENEWED, f"{app.name}: {error.message}; {kept}")
            outcome = go_on(app, error)
            remember(app, outcome, started)
        except StateError as error:
            # A purge of the package takes the state away.
            told = if_removed(app, error)
            if isinstance(told, PackageRemovedError):
                return Outcome(
                    Result.FAILED, told.exit_code, removed_during(app, told), advice=told.advice
                )
            raise
        except KeyboardInterrupt as error:
            raise hand_over(app, error, started) from None
        finally:
            app.worker.close()
        return outcome


def hand_over(app: App, error: KeyboardInterrupt, started: str) -> Interrupted:
    """Record that a signal ended this run, and have another process finish what it switched.

    Returns what the command reports.
    """
    if isinstance(error, Interrupted) and error.message:
        # Nothing was switched, and what goes on is told.
        return error
    code = error.exit_code if isinstance(error, Interrupted) else Interrupted("").exit_code
    with suppress(StateError):
        unfinished = app.records.unfinished()
        step = unfinished.step if unfinished else ""
        said = f"{app.name}: interrupted{f' in step {step}' if step else ''}"
        if step not in SWITCHING:
            said = f"{said}; {deployed(app.paths, '')}" if unfinished else said
            said = f"{said}; the next run begins again: autoupdatectl run {app.name}"
        elif app.host.services.watch_later(app.name):
            # A switch that was not made yet is undone.
            ends = "finishes or undoes" if step == Step.ACTIVATE else "finishes"
            said = f"{said}; {confirm_unit(app.name)} {ends} it"
        else:
            said = f"{said}; nobody finishes it: type autoupdatectl run {app.name}"
        app.tell(FAILED if step in SWITCHING else STEP, said, step=step)
        run = LastRun(Result.INTERRUPTED, code, started, app.clock.now(), said)
        app.records.set_last_run(run, success=False)
        return Interrupted(said, code)
    return Interrupted("", code)


def by_hand(
    app: App, work: Callable[[], Outcome], *, wait: bool = True, is_run: bool = True
) -> Outcome:
    """Do what an administrator asked for, under the lock of the app.

    `is_run`: `status` shows it as the last run. Raises BusyError and NotPermittedError; every other
    failure is an outcome.
    """
    with runtime_files.exclusive(app.paths, app.name, wait=wait):
        started = app.clock.now()
        try:
            outcome = guarded(app, work)
            # A mistyped command is not a run of the app.
            if is_run and outcome.result is not Result.REFUSED:
                remember(app, outcome, started)
        except KeyboardInterrupt as error:
            raise hand_over(app, error, started) from None
        finally:
            app.worker.close()
    clear_away(app)
    return outcome


def refuse(app: App, refusal: ConfigurationError) -> Outcome:
    """End a run that cannot begin, as the settings files cannot be used."""

    def work() -> Outcome:
        if unwatched := recover(app):
            return unwatched
        raise refusal

    return guarded(app, work)


def attempt(app: App, wishes: set[str], *, force: bool, back_to: str | None) -> Outcome:
    """Do what the run was started for; every error becomes an outcome."""

    by_timer = "TRIGGER_UNIT" in os.environ
    trigger = "start" if wishes else "timer" if by_timer else "manual"

    def work() -> Outcome:
        if back_to is not None:
            return rollback(app, back_to)
        if wishes == {runtime_files.RECOVER}:
            unwatched = recover(app)
            reason = f"{app.name}: no run was interrupted"
            return unwatched or Outcome(Result.CURRENT, Exit.DONE, reason)
        return update(app, trigger, force=force)

    interrupted = app.records.unfinished()
    outcome = guarded(app, work)
    if interrupted and back_to is None:
        outcome = with_what_was_finished(app, interrupted, outcome)
    put_link_back(app)
    useless = useless_current(app.paths, app.settings.build.python, app.records)
    if useless and back_to is None:
        renewed = guarded(app, lambda: rebuild(app, useless, trigger, force=force))
        # A rebuild that is only put off does not turn a failure into a success.
        return outcome if outcome.exit_code and renewed.result is Result.DEFERRED else renewed
    return outcome


def with_what_was_finished(app: App, interrupted: Transaction, outcome: Outcome) -> Outcome:
    """Return how an interrupted update ended, if this run rolled it back and did nothing more."""
    ended = app.records.transaction(interrupted.id)
    broken = ended.result == Result.BROKEN
    if not broken and ended.result != Result.ROLLED_BACK:
        return outcome
    if outcome.result not in (Result.CURRENT, Result.DEFERRED) and not (
        broken and outcome.exit_code
    ):
        return outcome
    current = linked_release(app.paths.current)
    advice = f"journalctl -t autoupdate; autoupdatectl status {app.name}"
    code = Exit(ended.exit_code)
    return Outcome(Result(ended.result), code, ended.reason, ended.commit, current, advice)


def put_link_back(app: App) -> None:
    """Make the link at `path` again if somebody removed it while a release is deployed."""
    path = app.settings.path
    if linked_release(app.paths.current) and not os.path.lexists(path):
        try:
            app.host.place(path, app.paths)
        except AutoupdateError as error:
            app.tell(FAILED, f"{app.name}: {error.message}; type: {error.advice}")
        else:
            app.tell(RECOVERED, f"{app.name}: {path} was missing; it points to the release again")


def guarded(app: App, work: Callable[[], Outcome]) -> Outcome:
    """Turn errors into an outcome, except that of a damaged state."""
    try:
        return work()
    except DamagedStateError:
        raise
    except AutoupdateError as error:
        return failed(app, error)
    except OSError as error:
        return failed(app, AutoupdateError(describe(error)))


def let_services_start(app: App, outcome: Outcome) -> None:
    """Let the next starts of services skip the check, if this run was a successful one."""
    if outcome.exit_code != Exit.DONE:
        return
    app.host.hand_over_shared()
    if is_handed_over(app.paths) and may_start(app):
        settings = app.settings
        runtime_files.set_fresh(
            app.paths, settings.start.fresh_for, settings.build.python, settings.files
        )
        app.leave_for_next(app, outcome)


def go_on(app: App, error: DamagedStateError) -> Outcome:
    """End with a new state the run that found the old one damaged."""
    outcome = failed(app, error)
    try:
        recover(app)
    except AutoupdateError as another:
        return failed(app, another)
    return outcome


def remember(app: App, outcome: Outcome, started: str) -> None:
    """Record how this run ended, for `status` and for service starts."""
    with app.records.atomic():
        alerts.look(app, outcome, started)
        ended = app.clock.now()
        app.records.set_last_run(
            LastRun(outcome.result, outcome.exit_code, started, ended, outcome.reason),
            success=outcome.exit_code == Exit.DONE and is_where_wanted(app, ended),
        )
    unchanged = outcome.result in (Result.CURRENT, Result.DEFERRED)
    if not unchanged or not has_facts(app.paths.state):
        app.keep_second_copy()
    report(app)


def is_where_wanted(app: App, now: str) -> bool:
    """Return whether this host runs what its policy wants, as far as is known.

    It does not while nothing is deployed, a probation goes on, a pin is not followed, or the newest
    commit failed here; it does while a hold, a window or a gate keeps a commit back.
    """
    release = linked_release(app.paths.current)
    current = app.records.release(release) if release else None
    if current is None or app.records.unfinished():
        return False
    pin, candidate = pins.find(app.records), app.records.candidate()
    if pin:
        return pin.commit == current.commit
    if candidate is None or holds.find(app.records, now):
        return True
    failed = {item.commit for item in app.records.quarantined()}
    return candidate.commit not in failed and app.records.attempts(candidate.commit) is None


def report(app: App) -> None:
    """Send notifications and write metrics, if they are configured."""
    if app.settings.notify.urls:
        from autoupdate.records import outbox

        if outbox.is_waiting(app.records):
            app.host.transient_units.send(app.name)
    if app.settings.metrics.textfile:
        from autoupdate.notifications import metrics

        metrics.write(app, staged=bool(waiting(app)))


def may_start(app: App) -> bool:
    """Return whether services may start without another check of upstream."""
    if useless_current(app.paths, app.settings.build.python, app.records):
        return False
    return app.settings.start.if_update_fails == "start" or not stuck(app.records)


def removed_during(app: App, error: PackageRemovedError) -> str:
    """Return how a run ended during which the package was removed."""
    return f"{app.name}: {error.message}; {deployed(app.paths, '')}"


def failed(app: App, error: AutoupdateError) -> Outcome:
    """Log the error that ended a run, and return its outcome."""
    error = if_removed(app, error)
    reason = f"{app.name}: {error.message}"
    if isinstance(error, PackageRemovedError):
        reason = removed_during(app, error)
    app.tell(FAILED, reason)
    result = RESULTS.get(error.exit_code, Result.FAILED)
    return Outcome(result, error.exit_code, reason, advice=error.advice)
