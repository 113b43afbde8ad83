"""An update that failed before the switch: its release is removed, and the fault is recorded."""

import os
import re

from autoupdate.app import App, Outcome
from autoupdate.gates.backoff import MOST_HOST_FAULTS, is_waiting, retry_after
from autoupdate.gates.runnable import deployed, is_complete
from autoupdate.gates.window import wait_for_opening
from autoupdate.host.limits import free_space
from autoupdate.model.commits import short
from autoupdate.model.errors import (
    AutoupdateError,
    ConfigurationError,
    DependenciesFailedError,
    Exit,
    HostFaultError,
    NoexecError,
    NoSpaceError,
    NotPermittedError,
    PackageRemovedError,
    UnreachableError,
    UnusableUpstreamError,
    UpdateFailedError,
)
from autoupdate.model.events import DEFERRED, FAILED, REFUSED, STEP
from autoupdate.model.steps import Result, Step
from autoupdate.model.times import seconds, write
from autoupdate.model.verdict import Verdict
from autoupdate.records.release_logs import has_log
from autoupdate.records.rows import FailedEnvironment, Transaction
from autoupdate.update import retention
from autoupdate.update.check import note_trouble, upstream_host
from autoupdate.update.retention import is_built
from autoupdate.worker.link import LIBRARY

PACKAGE = "ipfs-accelerate-autoupdate"
# In bytes. With less than this, services cannot write their logs and state.
LEAST_SPACE = 1 << 20
# Words of the C library for what no commit can help, in the journal of a service.
OF_THE_HOST = (
    "No space left on device", "Disk quota exceeded", "Read-only file system",
    "Cannot allocate memory", "Too many open files in system", "Input/output error",
)  # fmt: skip
LONGEST_LINE = 200


def give_up(app: App, transaction: Transaction, error: AutoupdateError) -> Outcome:
    """End a transaction that failed before the switch; the services were not touched."""
    transaction = app.records.transaction(transaction.id)
    # This ends all processes of the build; the next request starts a new worker.
    app.worker.close()
    before = free_space(app.paths.home)
    if transaction.release:
        retention.spare(app, transaction)
        retention.remove(app, transaction.release)
    if isinstance(error, NoSpaceError):
        # Services need the space now.
        retention.make_room(app)
    error = if_removed(app, whose_space(error, before, free_space(app.paths.home)))
    reason = (
        f"update of {app.name} to commit {short(transaction.commit)} failed in step"
        f" {transaction.step}: {error.message}; {deployed(app.paths, transaction.previous)}"
    )
    blame(app, transaction, error)
    result = Result.UNREACHABLE if isinstance(error, UnreachableError) else Result.FAILED
    with app.records.atomic():
        app.records.finish(transaction.id, result, error.exit_code, reason, app.clock.now())
        app.tell(FAILED, reason, commit=transaction.commit, step=transaction.step)
    # The reason has its last lines.
    printed = has_log(app.paths, transaction.release) and not isinstance(error, UnreachableError)
    log = f"autoupdatectl show {transaction.release} --log {app.name}" if printed else ""
    return Outcome(result, error.exit_code, reason, transaction.commit, "", error.advice or log)


def whose_space(error: AutoupdateError, before: int, after: int) -> AutoupdateError:
    """Return the error to report: if the build used up most of the free space, it is to blame.

    `before` and `after` are the free bytes before and after its release was removed.
    """
    if isinstance(error, NoSpaceError) and after - before > after // 2:
        return UpdateFailedError(f"the build took {after - before >> 20} MiB: {error.message}")
    return error


def if_removed(app: App, error: AutoupdateError) -> AutoupdateError:
    """Return the error to report: without its own files, a run fails with words about one of them.

    An upgrade of the package replaces files, and never leaves one out.
    """
    if os.path.exists(f"{LIBRARY}/autoupdate/__init__.py"):
        return error
    return PackageRemovedError(
        f"the package {PACKAGE} was removed during the run",
        f"services go on with what is deployed; to update again: apt install {PACKAGE} &&"
        f" autoupdatectl run {app.name}",
    )


def refuse(app: App, transaction: Transaction, verdict: Verdict) -> Outcome:
    """End a transaction that a gate stopped before the switch; the commit is not blamed.

    A complete release is kept, and waits until all gates let it pass. If nothing is deployed, or
    the host is at fault, this is a failure.
    """
    transaction = app.records.transaction(transaction.id)
    app.worker.close()
    built = is_built(app, transaction)
    if transaction.release and not built:
        retention.remove(app, transaction.release)
    is_deployed = bool(transaction.previous)
    how = "is built and waits" if built else "is not deployed"
    commit, place = short(transaction.commit), deployed(app.paths, transaction.previous)
    reason = f"{app.name}: commit {commit} {how}: {verdict.reason}; {place}"
    policy = is_deployed and not verdict.is_fault
    result, code = (Result.DEFERRED, Exit.DONE) if policy else (Result.FAILED, Exit.FAILED)
    # A verdict that is not about time does not change by itself.
    kind = FAILED if verdict.is_fault else DEFERRED if verdict.forceable else REFUSED
    app.tell(kind, reason, commit=transaction.commit, step=transaction.step)
    app.records.finish(transaction.id, result, code, reason, app.clock.now())
    wait_for_opening(app, verdict)
    return Outcome(result, code, reason, transaction.commit, transaction.previous, verdict.advice)


def blame(app: App, transaction: Transaction, error: AutoupdateError) -> None:
    """Put a bad commit into quarantine; if it is not to blame, only count the attempt."""
    now = app.clock.now()
    of_settings = isinstance(error, NotPermittedError) or type(error) is ConfigurationError
    if of_settings or isinstance(error, NoexecError | PackageRemovedError):
        # It would be the same for every commit.
        return
    if isinstance(error, UnreachableError):
        of_upstream = transaction.step == Step.FETCH
        note_trouble(app, error, upstream_host(app) if of_upstream else "")
    if isinstance(error, UnreachableError | HostFaultError | UnusableUpstreamError):
        counted = app.records.count_attempt(
            transaction.commit, error.message, now, interrupted=False
        )
        if not isinstance(error, HostFaultError) or counted.failed < MOST_HOST_FAULTS:
            return
    if is_deployed_already(app, transaction):
        # Its settings or the host's Python are new: they are to blame.
        app.records.count_attempt(transaction.commit, error.message, now, interrupted=False)
        return
    app.records.quarantine(transaction.commit, Step(transaction.step), error.message, now)
    # It is not tried again soon, so its dependencies are not needed now; those of a failed
    # rehearsal are kept for the next commit.
    retention.tidy(app)


def blame_for_running_badly(app: App, transaction: Transaction, fault: str) -> None:
    """Put a commit that does not run into quarantine, unless nothing can run on this host now."""
    now = app.clock.now()
    trouble = trouble_of_the_host(app, transaction.release) or told_by_services(app, transaction)
    if is_deployed_already(app, transaction):
        trouble = "the same commit ran well before"
    if trouble:
        reason = f"{fault}; the commit is not put into quarantine, because {trouble}"
        app.tell(STEP, f"{app.name}: {reason}", commit=transaction.commit)
        app.records.count_attempt(transaction.commit, reason, now, interrupted=True)
    else:
        app.records.quarantine(transaction.commit, Step.PROBATION, fault, now)


def is_deployed_already(app: App, transaction: Transaction) -> bool:
    """Return whether the release before has the same commit, so that something else changed."""
    before = app.records.release(transaction.previous) if transaction.previous else None
    return before is not None and before.commit == transaction.commit


def is_alike(fault: str, other: str) -> bool:
    """Return whether two faults of services are the same, whichever process and moment it was."""
    # With Restart=, systemd shows a crash in one of these two ways, depending on the moment.
    alike = [
        re.sub(r"[0-9]+", "N", text.replace("crashed and was restarted by systemd", "failed"))
        for text in (fault, other)
    ]
    return alike[0] == alike[1]


def trouble_of_the_host(app: App, release: str) -> str:
    """Return why services cannot run on this host with any commit; empty if they can."""
    if not is_complete(app.paths, release):
        return f"release {release} is no longer complete"
    if mount := app.host.noexec(app.paths):
        return f"{mount} is mounted noexec"
    if free_space(app.paths.home) < LEAST_SPACE:
        return f"there is no space left in {app.paths.home}"
    facts = os.statvfs(app.paths.home)
    # File systems without a fixed number of inodes report 0 for both.
    if facts.f_files and not facts.f_favail:
        return f"there are no inodes left in {app.paths.home}"
    return ""


def told_by_services(app: App, transaction: Transaction) -> str:
    """Return the line by which a service said why the host is at fault, which may be over now."""
    names = transaction.services.split()
    since = seconds(transaction.started_at)
    for line in app.host.services.last_words(names, since).splitlines():
        if any(words in line for words in OF_THE_HOST):
            return f'a service said "{line.strip()[:LONGEST_LINE]}"'
    return ""


def remember_environment(
    app: App, transaction: Transaction, environment: str, error: DependenciesFailedError
) -> None:
    """Record that a set of dependencies cannot be installed, for other commits with it."""
    app.records.add_failed_environment(
        FailedEnvironment(environment, transaction.commit, error.message, app.clock.now())
    )


def refuse_failed_environment(app: App, environment: str) -> None:
    """Raise UpdateFailedError if this set of dependencies failed lately.

    The package index changes: what cannot be installed today may be there tomorrow.
    """
    known = app.records.failed_environment(environment)
    if known and is_waiting(known.since, known.tries, app.clock.now()):
        next_try = write(seconds(known.since) + retry_after(known.tries))
        raise UpdateFailedError(
            f"the same dependencies failed for commit {short(known.commit)} at {known.since}:"
            f" {known.reason}; they are tried again at {next_try}",
            f"autoupdatectl quarantine clear {known.commit}",
        )


def close(app: App, transaction: Transaction, outcome: Outcome) -> Outcome:
    """End a transaction that has nothing to do."""
    app.records.finish(
        transaction.id, outcome.result, outcome.exit_code, outcome.reason, app.clock.now()
    )
    return outcome
