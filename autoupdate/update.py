"""One update, step by step. Each step is recorded before it begins, so that a run that dies can
be finished or undone by the next one (recover.py)."""

from autoupdate import retention, runtime
from autoupdate.app import App, Outcome
from autoupdate.check import tracked_ref
from autoupdate.decide import is_complete, nothing_to_do
from autoupdate.errors import AutoupdateError, UnreachableError
from autoupdate.events import CANDIDATE, CURRENT, DEFERRED, FAILED, STASHED, STEP
from autoupdate.probation import begin_probation, watch
from autoupdate.publish import claim, linked_release, switch
from autoupdate.recover import recover
from autoupdate.state import Result, Step
from autoupdate.store import Release, Transaction


def update(app: App, trigger: str, *, force: bool = False) -> Outcome:
    """Bring in what upstream has, if it is new; the whole of one run, under the app's lock."""
    claim(app.settings.path, app.paths)
    if unwatched := recover(app):
        return unwatched
    commit = look_upstream(app)
    if nothing := nothing_to_do(app, commit, force=force):
        return note(app, nothing)
    runtime.set_stale(app.paths)
    transaction = begin(app, commit, trigger)
    try:
        transaction = fetch(app, transaction)
        if nothing := nothing_to_do(app, transaction.commit, force=force):
            return close(app, transaction, nothing)
        build(app, transaction)
        prepare_switch(app, transaction)
    except AutoupdateError as error:
        return give_up(app, transaction, error)
    with runtime.activating(app.paths):
        activate(app, transaction)
        return watch(app, transaction, begin_probation(app, transaction))


def look_upstream(app: App) -> str:
    """check: ask upstream for the commit that the track points to."""
    commit = app.check(app.settings.upstream)
    app.store.set_candidate(commit, app.clock.now())
    return commit


def note(app: App, outcome: Outcome) -> Outcome:
    """Log that a run has nothing to do, or may not do it."""
    kind = CURRENT if outcome.result is Result.CURRENT else DEFERRED
    app.tell(kind, outcome.reason, commit=outcome.commit, release=outcome.release)
    return outcome


def begin(app: App, commit: str, trigger: str) -> Transaction:
    """Open the transaction that brings a commit in."""
    current = linked_release(app.paths.current)
    app.tell(CANDIDATE, f"{app.name}: new commit {commit} upstream", commit=commit)
    previous = current if current and is_complete(app, current) else ""
    return app.store.transaction(app.store.begin(trigger, commit, previous, app.clock.now()))


def fetch(app: App, transaction: Transaction) -> Transaction:
    """fetch: into the mirror. The branch may have moved on since the check: take what came."""
    upstream = app.settings.upstream
    wanted = tracked_ref(upstream) or transaction.commit
    fetched = app.workshop.fetch(upstream.url, wanted, upstream.timeout)
    if fetched.commit != transaction.commit:
        app.store.set_candidate(fetched.commit, app.clock.now())
    stamp = "".join(filter(str.isdigit, app.clock.now()))
    release = f"{stamp[:8]}T{stamp[8:]}Z-{fetched.commit[:12]}"
    # A second build of one commit within a second must not meet the first one's directory.
    while app.store.release(release):
        release += "x"
    app.store.set_target(transaction.id, fetched.commit, release)
    return app.store.transaction(transaction.id)


def build(app: App, transaction: Transaction) -> None:
    """build: a release in its final place, while the old one runs."""
    commit, release = transaction.commit, transaction.release
    app.store.enter(transaction.id, Step.BUILD)
    app.tell(STEP, f"{app.name}: building release {release}",
             commit=commit, release=release, step=Step.BUILD)  # fmt: skip
    app.workshop.check_out(release, commit)
    app.provide_shared(release)
    built = app.workshop.build(release, app.settings.shared, app.settings.build)
    app.store.add_release(
        Release(release, commit, app.clock.now(), "", "", built.environment, built.interpreter)
    )


def activate(app: App, transaction: Transaction) -> None:
    """activate: one rename; whoever starts from now on gets the new release."""
    app.store.enter(transaction.id, Step.ACTIVATE)
    switch(app.paths, transaction.release, transaction.previous)
    app.store.set_activated(transaction.release, app.clock.now())


def prepare_switch(app: App, transaction: Transaction) -> None:
    """Do what may fail before the switch: save local changes, claim the services' path."""
    # Of a release that an earlier installation left, the mirror knows nothing to compare with.
    if transaction.previous and app.store.release(transaction.previous):
        save_local_changes(app, transaction)
    app.place(app.settings.path, app.paths)


def save_local_changes(app: App, transaction: Transaction) -> None:
    """Save what somebody changed in the release that is about to be left."""
    left = transaction.previous
    message = f"autoupdate: local changes in release {left}, saved {app.clock.now()}"
    paths = app.workshop.save_local_changes(left, app.settings.shared, message)
    if paths:
        named = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
        app.tell(
            STASHED,
            f"{app.name}: local changes in release {left} saved as a stash ({named});"
            f" see: sudo -u _autoupdate git -C {app.paths.mirror} stash list",
            release=left,
        )


def give_up(app: App, transaction: Transaction, error: AutoupdateError) -> Outcome:
    """End a transaction that failed before anything was switched: the services never noticed."""
    transaction = app.store.transaction(transaction.id)
    # Whatever the build left running ends here; the next request starts a worker anew.
    app.workshop.close()
    if transaction.release:
        retention.remove(app, transaction.release)
    network = isinstance(error, UnreachableError)
    result = Result.UNREACHABLE if network else Result.FAILED
    place = f"release {transaction.previous} stays" if transaction.previous else "nothing deployed"
    reason = (
        f"update of {app.name} to commit {transaction.commit} failed in step {transaction.step}:"
        f" {error.message}; {place}"
    )
    if not network:
        app.store.quarantine(
            transaction.commit, Step(transaction.step), error.message, app.clock.now()
        )
    outcome = Outcome(result, error.exit_code, reason, transaction.commit, "", error.advice)
    app.tell(FAILED, reason, commit=transaction.commit, step=transaction.step)
    return close(app, transaction, outcome)


def close(app: App, transaction: Transaction, outcome: Outcome) -> Outcome:
    """Record how a transaction ended."""
    app.store.finish(
        transaction.id, outcome.result, outcome.exit_code, outcome.reason, app.clock.now()
    )
    return outcome
