"""fetch: gets the commit into the mirror; a damaged mirror is replaced by a new one."""

from collections.abc import Callable
from typing import TypeVar

from autoupdate.app import App
from autoupdate.config import applied
from autoupdate.gates.attempts import nothing_to_do
from autoupdate.gates.candidate import wanted_ref, wanted_tags
from autoupdate.gates.runnable import is_complete
from autoupdate.host import runtime_files
from autoupdate.host.links import linked_release
from autoupdate.model.commits import short
from autoupdate.model.errors import DamagedMirrorError
from autoupdate.model.events import CANDIDATE, MIRROR_RENEWED
from autoupdate.records import first_seen, network_trouble
from autoupdate.records.rows import Release, Transaction
from autoupdate.update.check import NothingToDoError, upstream_host
from autoupdate.update.retention import take_staged

Answer = TypeVar("Answer")
# How many times as long as upstream.timeout the first fetch of an app may take.
FIRST_FETCH = 6


def begin(app: App, commit: str, trigger: str) -> Transaction:
    """Begin the transaction of an update to a commit."""
    load_the_rest()
    runtime_files.set_stale(app.paths)
    current = linked_release(app.paths.current)
    app.tell(CANDIDATE, f"{app.name}: {why(app, commit)}", commit=commit)
    previous = current if current and is_complete(app.paths, current) else ""
    return app.records.transaction(app.records.begin(trigger, commit, previous, app.clock.now()))


def why(app: App, commit: str) -> str:
    """Say why a commit is to be deployed: it is new, or settings have changed."""
    current = app.records.release(linked_release(app.paths.current))
    keys = applied.changed(current.settings, app.settings) if current else []
    if current and current.commit == commit and keys:
        have = "has" if len(keys) == 1 else "have"
        return f"{', '.join(keys)} {have} changed; commit {short(commit)} is built again"
    return f"new commit {short(commit)} upstream"


def load_the_rest() -> None:
    """Import the modules that are otherwise imported only when they are needed.

    An upgrade of this package may replace its files during the run, which must not mix old and new.
    """
    from autoupdate.gates import calendar, trusted_keys  # noqa: F401
    from autoupdate.notifications import metrics  # noqa: F401
    from autoupdate.records import outbox  # noqa: F401
    from autoupdate.upstream import credentials  # noqa: F401


def fetch(app: App, transaction: Transaction, *, force: bool) -> tuple[Transaction, Release | None]:
    """Fetch the commit, or find a waiting release that an earlier run built of it.

    If the branch moved since the check, the transaction goes on with the commit that was fetched.
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
    """Fetch what `upstream.track` names, and record the release that will be built of it."""
    commit = fetch_safely(app, transaction.commit)
    if commit != transaction.commit:
        app.records.set_candidate(commit, app.clock.now())
        first_seen.note(app.records, commit, app.clock.now())
    return name_release(app, transaction, commit)


def name_release(app: App, transaction: Transaction, commit: str) -> Transaction:
    """Record the fetched commit, and the release that will be built of it."""
    stamp = "".join(filter(str.isdigit, app.clock.now()))
    release = f"{stamp[:8]}T{stamp[8:]}Z-{commit[:12]}"
    # A second build of a commit in the same second needs a directory of its own.
    while app.records.release(release):
        release += "x"
    app.records.set_target(transaction.id, commit, release)
    return app.records.transaction(transaction.id)


def fetch_safely(app: App, commit: str) -> str:
    """Fetch, into a new mirror if this one is damaged; return the fetched commit."""
    try:
        return fetch_into_mirror(app, commit)
    except DamagedMirrorError as error:
        renew_mirror(app, error)
        return fetch_into_mirror(app, commit)


def with_sound_mirror(app: App, commit: str, work: Callable[[], Answer]) -> Answer:
    """Do `work` with the mirror; if it is damaged, do it again with a new one."""
    try:
        return work()
    except DamagedMirrorError as error:
        renew_mirror(app, error)
        fetch_into_mirror(app, commit)
        return work()


def fetch_into_mirror(app: App, commit: str) -> str:
    """Fetch, and return the fetched commit. Raises DamagedMirrorError."""
    upstream = app.settings.upstream
    ref, more = wanted_ref(app, commit), wanted_tags(app, commit)
    # A first fetch brings the whole history, and no service waits for it.
    limit = upstream.timeout * (1 if linked_release(app.paths.current) else FIRST_FETCH)
    fetched = app.worker.fetch(upstream.url, ref, limit, more).commit
    network_trouble.end(app.records, upstream_host(app))
    return fetched


def renew_mirror(app: App, error: DamagedMirrorError) -> None:
    """Make a new mirror; the damaged one is kept next to it."""
    kept = f"it is fetched again, and the old one is kept as {app.paths.mirror}.damaged"
    app.tell(MIRROR_RENEWED, f"{app.name}: the mirror is damaged: {error.message}; {kept}")
    app.worker.renew_mirror()
