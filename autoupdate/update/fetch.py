"""fetch: the commit comes into the mirror; a mirror that turns out to be damaged is replaced."""

from collections.abc import Callable
from typing import TypeVar

from autoupdate.app import App
from autoupdate.gates.attempts import nothing_to_do
from autoupdate.gates.candidate import wanted_ref, wanted_tags
from autoupdate.gates.runnable import is_complete
from autoupdate.host import runtime_files
from autoupdate.host.links import linked_release
from autoupdate.model.errors import DamagedMirrorError
from autoupdate.model.events import CANDIDATE, MIRROR_RENEWED
from autoupdate.records import first_seen
from autoupdate.records.rows import Release, Transaction
from autoupdate.update.check import NothingToDoError
from autoupdate.update.staged import take_staged

Answer = TypeVar("Answer")


def begin(app: App, commit: str, trigger: str) -> Transaction:
    """Open the transaction of an update to a commit."""
    load_the_rest()
    runtime_files.set_stale(app.paths)
    current = linked_release(app.paths.current)
    app.tell(CANDIDATE, f"{app.name}: new commit {commit} upstream", commit=commit)
    previous = current if current and is_complete(app.paths, current) else ""
    return app.records.transaction(app.records.begin(trigger, commit, previous, app.clock.now()))


def load_the_rest() -> None:
    """Import what is otherwise imported when it is needed.

    An upgrade of this package may replace its files while the run goes on with what it has loaded.
    """
    from autoupdate.gates import calendar, trusted_keys  # noqa: F401
    from autoupdate.notifications import metrics  # noqa: F401
    from autoupdate.records import outbox  # noqa: F401
    from autoupdate.upstream import credentials  # noqa: F401



def fetch(app: App, transaction: Transaction, *, force: bool) -> tuple[Transaction, Release | None]:
    """Get the commit, or a release that an earlier run built of it and that waits.

    The branch may have moved on since the check: what came is taken, and the transaction names it.
    Raises NothingToDoError, UnreachableError, UpdateFailedError.
    """
    staged = take_staged(app, transaction)
    if staged:
        transaction, built = staged
    else:
        transaction, built = fetch_commit(app, transaction), None
    nothing = nothing_to_do(app, transaction.commit, transaction.trigger, force=force)
    if nothing:
        raise NothingToDoError(nothing)
    return transaction, built


def fetch_commit(app: App, transaction: Transaction) -> Transaction:
    """Fetch what is tracked, and name the release that is to be built of it."""
    commit = fetch_safely(app, transaction.commit)
    if commit != transaction.commit:
        app.records.set_candidate(commit, app.clock.now())
        first_seen.note(app.records, commit, app.clock.now())
    return name_release(app, transaction, commit)


def name_release(app: App, transaction: Transaction, commit: str) -> Transaction:
    """Record the commit that came, and the release that is to be built of it."""
    stamp = "".join(filter(str.isdigit, app.clock.now()))
    release = f"{stamp[:8]}T{stamp[8:]}Z-{commit[:12]}"
    # A second build of one commit within a second must not meet the first one's directory.
    while app.records.release(release):
        release += "x"
    app.records.set_target(transaction.id, commit, release)
    return app.records.transaction(transaction.id)


def fetch_safely(app: App, commit: str) -> str:
    """Fetch what is tracked, into a new mirror if this one is damaged; return what came."""
    try:
        return fetch_into_mirror(app, commit)
    except DamagedMirrorError as error:
        renew_mirror(app, error)
        return fetch_into_mirror(app, commit)


def with_sound_mirror(app: App, commit: str, work: Callable[[], Answer]) -> Answer:
    """Do something with the mirror; if that is damaged, do it again with a new one."""
    try:
        return work()
    except DamagedMirrorError as error:
        renew_mirror(app, error)
        fetch_into_mirror(app, commit)
        return work()


def fetch_into_mirror(app: App, commit: str) -> str:
    """Fetch what is tracked; return the commit that came. Raises DamagedMirrorError."""
    upstream = app.settings.upstream
    ref, more = wanted_ref(app, commit), wanted_tags(app, commit)
    return app.worker.fetch(upstream.url, ref, upstream.timeout, more).commit


def renew_mirror(app: App, error: DamagedMirrorError) -> None:
    """Begin a new mirror; the damaged one is kept beside it."""
    app.tell(MIRROR_RENEWED, f"{app.name}: the mirror is damaged and is fetched anew,"
             f" the old one is kept as {app.paths.mirror}.damaged: {error.message}")  # fmt: skip
    app.worker.renew_mirror()
