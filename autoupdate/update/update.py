"""One update, step by step. Each step is recorded before it begins, so that a run that dies can
be finished or undone by the next one (recover.py)."""

from collections.abc import Sequence

from autoupdate.app import App, Outcome
from autoupdate.gates import hooks
from autoupdate.gates.attempts import is_complete, longest_wait, nothing_to_do
from autoupdate.gates.guard import note_first_seen, tell_left_out
from autoupdate.gates.order import BEFORE_BUILD, BEFORE_SWITCH, Gate, first_refusal
from autoupdate.gates.signatures import signer_of
from autoupdate.gates.space import check_space
from autoupdate.host import runtime_files
from autoupdate.host.links import claim, linked_release, switch
from autoupdate.model.errors import (
    AutoupdateError,
    DamagedMirrorError,
    DependenciesFailedError,
    HostFaultError,
    NoCandidateError,
)
from autoupdate.model.events import (
    CANDIDATE,
    CURRENT,
    DEFERRED,
    MIRROR_RENEWED,
    REHEARSED,
    STASHED,
    STEP,
)
from autoupdate.model.steps import Result, Step
from autoupdate.model.verdict import Verdict
from autoupdate.records import pin, tags
from autoupdate.records.hold import held
from autoupdate.records.records import Release, Transaction
from autoupdate.records.second_copy import keep_facts
from autoupdate.update import retention
from autoupdate.update.failure import (
    give_up,
    no_candidate,
    refuse,
    refuse_failed_environment,
    remember_environment,
)
from autoupdate.update.probation import begin_probation, look, roll_back, watch
from autoupdate.update.recover import recover
from autoupdate.update.staged import is_built, take_staged


def update(app: App, trigger: str, *, force: bool = False) -> Outcome:
    """Bring in what upstream has, if it is new; the whole of one run, under the app's lock."""
    if unwatched := recover(app):
        return unwatched
    if on_hold := held(app):
        return note(app, on_hold)
    claim(app.settings.path, app.paths)
    try:
        commit = look_upstream(app)
    except NoCandidateError as error:
        return no_candidate(app, error)
    longest = longest_wait(app, trigger)
    if nothing := nothing_to_do(app, commit, force=force, longest_wait=longest):
        return note(app, nothing)
    runtime_files.set_stale(app.paths)
    transaction = begin(app, commit, trigger)
    try:
        transaction = take_staged(app, transaction) or fetch(app, transaction)
        commit = transaction.commit
        if nothing := nothing_to_do(app, commit, force=force, longest_wait=longest):
            return close(app, transaction, nothing)
        if refusal := make_ready(app, transaction, BEFORE_BUILD, force=force):
            return refusal
    except AutoupdateError as error:
        return give_up(app, transaction, error)
    return switch_over(app, transaction)


def make_ready(
    app: App, transaction: Transaction, gates: Sequence[Gate], *, force: bool
) -> Outcome | None:
    """Do all that comes before the switch; an outcome is a refusal. Raises AutoupdateError."""
    if refused := make_release(app, transaction, gates, force=force):
        return refused
    if refusal := hooks.before_update(app, transaction):
        return refuse(app, transaction, refusal)
    prepare_switch(app, transaction)
    return None


def make_release(
    app: App, transaction: Transaction, gates: Sequence[Gate], *, force: bool
) -> Outcome | None:
    """Have a release that may be switched to; an outcome is a refusal. Raises AutoupdateError."""
    if refusal := verify(app, transaction, gates, force=force):
        return refuse(app, transaction, refusal)
    if not is_built(app, transaction):
        build(app, transaction, force=force)
        rehearse(app, transaction)
    if refusal := first_refusal(BEFORE_SWITCH, app, transaction.commit, force=force):
        return refuse(app, transaction, refusal)
    return None


def switch_over(app: App, transaction: Transaction) -> Outcome:
    """Switch to a release that is ready, and watch it; or undo that."""
    with runtime_files.activating(app.paths):
        try:
            activate(app, transaction)
        except (AutoupdateError, OSError) as error:
            return undo_activation(app, transaction, str(error))
        except KeyboardInterrupt:
            # Services may have been stopped for a copy of their files.
            undo_activation(app, transaction, "interrupted by hand")
            raise
        return watch(app, transaction, begin_probation(app, transaction))


def look_upstream(app: App) -> str:
    """check: ask upstream for the commit that the track points to; a pin says it by itself."""
    found = pin.wanted(app)
    app.store.set_candidate(found.commit, app.clock.now())
    note_first_seen(app.store, found.commit, app.clock.now())
    tags.remember(app.store, found, app.clock.now())
    return found.commit


def note(app: App, outcome: Outcome) -> Outcome:
    """Log that a run has nothing to do, or may not do it."""
    kind = CURRENT if outcome.result is Result.CURRENT else DEFERRED
    if kind is CURRENT and app.store.attempts(outcome.commit):
        # It failed to be built anew for a reason that is gone, such as another build.python.
        app.store.forgive(outcome.commit)
    app.tell(kind, outcome.reason, commit=outcome.commit, release=outcome.release)
    return outcome


def begin(app: App, commit: str, trigger: str) -> Transaction:
    """Open the transaction that brings a commit in."""
    current = linked_release(app.paths.current)
    app.tell(CANDIDATE, f"{app.name}: new commit {commit} upstream", commit=commit)
    previous = current if current and is_complete(app.paths, current) else ""
    return app.store.transaction(app.store.begin(trigger, commit, previous, app.clock.now()))


def fetch(app: App, transaction: Transaction) -> Transaction:
    """fetch: into the mirror. The branch may have moved on since the check: take what came."""
    try:
        commit = fetch_into_mirror(app, transaction.commit)
    except DamagedMirrorError as error:
        renew_mirror(app, error)
        commit = fetch_into_mirror(app, transaction.commit)
    if commit != transaction.commit:
        app.store.set_candidate(commit, app.clock.now())
        note_first_seen(app.store, commit, app.clock.now())
    return name_release(app, transaction, commit)


def name_release(app: App, transaction: Transaction, commit: str) -> Transaction:
    """Record the commit that came, and the release that is to be built of it."""
    stamp = "".join(filter(str.isdigit, app.clock.now()))
    release = f"{stamp[:8]}T{stamp[8:]}Z-{commit[:12]}"
    # A second build of one commit within a second must not meet the first one's directory.
    while app.store.release(release):
        release += "x"
    app.store.set_target(transaction.id, commit, release)
    return app.store.transaction(transaction.id)


def verify(
    app: App, transaction: Transaction, gates: Sequence[Gate], *, force: bool
) -> Verdict | None:
    """verify, guard: is this a commit to take? Returns the word of the gate that says no."""
    app.store.enter(transaction.id, Step.VERIFY, app.clock.now())
    try:
        return first_refusal(gates, app, transaction.commit, force=force)
    except DamagedMirrorError as error:
        renew_mirror(app, error)
        fetch_into_mirror(app, transaction.commit)
        return first_refusal(gates, app, transaction.commit, force=force)


def build(app: App, transaction: Transaction, *, force: bool) -> None:
    """build: a release in its final place, while the old one runs."""
    commit, release = transaction.commit, transaction.release
    settings = app.settings.build
    app.store.enter(transaction.id, Step.BUILD, app.clock.now())
    app.tell(STEP, f"{app.name}: building release {release}",
             commit=commit, release=release, step=Step.BUILD)  # fmt: skip
    signer = signer_of(app.store, commit)
    check_out(app, transaction)
    tell_left_out(app, commit)
    app.workshop.add_submodules(
        release, commit, app.settings.upstream, app.settings.guard.max_release
    )
    plan = app.workshop.plan(release, settings)
    check_space(app.store.releases(), plan)
    if not force:
        refuse_failed_environment(app, plan.environment)
    app.provide_shared(release)
    try:
        taken = app.workshop.build(release, app.settings.shared, settings)
    except DependenciesFailedError as error:
        remember_environment(app, transaction, plan.environment, error)
        raise
    app.store.add_release(
        Release(
            release, commit, app.clock.now(), "", signer, plan.environment, plan.interpreter, taken
        )
    )
    keep_facts(app)


def rehearse(app: App, transaction: Transaction) -> None:
    """rehearse: try the release out before production sees it."""
    app.store.enter(transaction.id, Step.REHEARSE, app.clock.now())
    settings = app.settings.rehearse
    new, old = app.store.release(transaction.release), app.store.release(transaction.previous)
    same = bool(new and old and new.environment == old.environment)
    for warning in app.workshop.rehearse(
        transaction.release, transaction.previous, settings, same_packages=same
    ):
        app.tell(REHEARSED, f"{app.name}: release {transaction.release}: {warning}",
                 commit=transaction.commit, release=transaction.release)  # fmt: skip


def check_out(app: App, transaction: Transaction) -> None:
    """Make the release's work tree; a mirror that turns out to be damaged is made anew first."""
    try:
        app.workshop.check_out(transaction.release, transaction.commit)
    except DamagedMirrorError as error:
        renew_mirror(app, error)
        fetch_into_mirror(app, transaction.commit)
        app.workshop.check_out(transaction.release, transaction.commit)


def fetch_into_mirror(app: App, commit: str) -> str:
    """Fetch what is tracked; return the commit that came."""
    upstream = app.settings.upstream
    ref, more = tags.wanted_ref(app, commit), tags.wanted_tags(app, commit)
    return app.workshop.fetch(upstream.url, ref, upstream.timeout, more).commit


def renew_mirror(app: App, error: DamagedMirrorError) -> None:
    """Begin a new mirror; the damaged one is kept beside it."""
    app.tell(MIRROR_RENEWED, f"{app.name}: the mirror is damaged and is fetched anew,"
             f" the old one is kept as {app.paths.mirror}.damaged: {error.message}")  # fmt: skip
    app.workshop.renew_mirror()


def prepare_switch(app: App, transaction: Transaction) -> None:
    """Do what may fail before the switch: save local changes, claim the services' path."""
    try:
        # Of a release that an earlier installation left, the mirror knows nothing to compare with.
        if transaction.previous and app.store.release(transaction.previous):
            save_local_changes(app, transaction)
        app.place(app.settings.path, app.paths)
    except AutoupdateError:
        hooks.after(app, transaction, Result.FAILED)
        raise


def activate(app: App, transaction: Transaction) -> None:
    """activate: one rename; whoever starts from now on gets the new release."""
    app.store.enter(transaction.id, Step.ACTIVATE, app.clock.now())
    if app.settings.shared_snapshot and transaction.previous:
        copy_shared_files(app, transaction)
    # Where the release that is left is gone, the one before it may be there.
    way_back = transaction.previous or retention.before(app, transaction.release, "")
    switch(app.paths, transaction.release, way_back)
    app.store.set_activated(transaction.release, app.clock.now())


def undo_activation(app: App, transaction: Transaction, reason: str) -> Outcome:
    """End a transaction whose switch failed: undo it, or go on with the release that was left."""
    fault = HostFaultError(f"the switch failed: {reason}")
    if linked_release(app.paths.current) == transaction.release:
        return roll_back(app, transaction, fault.message)
    stopped = app.store.transaction(transaction.id).services.split()
    app.services.restart(stopped)
    hooks.after(app, transaction, Result.FAILED)
    return give_up(app, transaction, fault)


def copy_shared_files(app: App, transaction: Transaction) -> None:
    """Stop the services and copy the shared files that a roll back puts back."""
    running = [service.name for service in look(app) if service.runs]
    # Recorded first: whoever finishes or undoes this starts them again.
    app.store.set_services(transaction.id, running)
    app.services.stop(running)
    app.snapshots.take(transaction.id, app.settings.shared_snapshot)


def save_local_changes(app: App, transaction: Transaction) -> None:
    """Save what somebody changed in the release that is about to be left."""
    left = transaction.previous
    message = f"autoupdate: local changes in release {left}, saved {app.clock.now()}"
    paths = stash(app, transaction, message)
    if paths:
        named = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
        app.tell(
            STASHED,
            f"{app.name}: local changes in release {left} saved as a stash ({named});"
            f" see: sudo -u _autoupdate git -C {app.paths.mirror} stash list",
            release=left,
        )


def stash(app: App, transaction: Transaction, message: str) -> tuple[str, ...]:
    """Save local changes; a mirror that turns out to be damaged is made anew first."""
    left, shared = transaction.previous, app.settings.shared
    try:
        return app.workshop.save_local_changes(left, shared, message)
    except DamagedMirrorError as error:
        renew_mirror(app, error)
    fetch_into_mirror(app, transaction.commit)
    try:
        return app.workshop.save_local_changes(left, shared, message)
    except DamagedMirrorError as error:
        # The mirror has lost the commit of that release, and upstream does not have it any more.
        reason = f"cannot be told from what upstream had there, and stay only in it: {error}"
        app.tell(STEP, f"{app.name}: local changes in release {left} {reason}", release=left)
        return ()


def close(app: App, transaction: Transaction, outcome: Outcome) -> Outcome:
    """Record how a transaction ended."""
    app.store.finish(
        transaction.id, outcome.result, outcome.exit_code, outcome.reason, app.clock.now()
    )
    return outcome
