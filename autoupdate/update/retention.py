"""Which releases are on disk: the last few, and the one that is built and waits to be activated.

A release that was never activated waits for its window. There is at most one: that of a newer
commit replaces it.
"""

import os
from contextlib import suppress

from autoupdate.app import App
from autoupdate.config import applied
from autoupdate.gates.runnable import is_complete, is_usable
from autoupdate.host.links import linked_release
from autoupdate.host.processes import is_used, used_paths
from autoupdate.model.errors import AutoupdateError, describe
from autoupdate.model.events import STEP
from autoupdate.model.steps import Step
from autoupdate.records import unremoved
from autoupdate.records.rows import Release, Transaction
from autoupdate.worker import trash
from autoupdate.worker.building import KEY
from autoupdate.worker.removal import Remaining


def prune(app: App) -> None:
    """Remove the oldest releases beyond `keep`; current and previous are always kept."""
    linked = {linked_release(app.paths.current), linked_release(app.paths.previous)}
    releases = [release.id for release in app.records.releases()]
    loose = [release for release in releases if release not in linked]
    surplus = loose[: max(0, len(releases) - app.settings.keep)]
    used = used_paths() if surplus else set()
    for release in surplus:
        # A running process may still import files from it.
        if not is_used(app.paths.release(release), used):
            remove(app, release)
    # The update succeeded: what an earlier rehearsal left is not needed any more.
    drop_spare(app)
    tidy(app)


def spare(app: App, transaction: Transaction) -> None:
    """Keep the environment of a failed rehearsal: it is complete, and the next commit may need it.

    There is at most one, so that failures do not fill the disk.
    """
    release = app.records.release(transaction.release)
    if transaction.step != Step.REHEARSE or release is None:
        return
    # Without it, the next build installs everything again.
    with suppress(OSError), open(app.paths.spare, "w", encoding="utf-8") as file:
        file.write(release.environment)


def drop_spare(app: App) -> None:
    """Let `tidy` remove the environment of a failed rehearsal, unless a release has it."""
    with suppress(OSError):
        os.unlink(app.paths.spare)


def free_spare(app: App, environment: str) -> bool:
    """Remove the environment of a failed rehearsal if it is another than this; return whether."""
    kept = spares(app)
    if not kept or kept == {environment}:
        return False
    drop_spare(app)
    tidy(app)
    return True


def spares(app: App) -> set[str]:
    """Return the environments that no release uses, but that are kept."""
    with suppress(OSError, ValueError), open(app.paths.spare, encoding="utf-8") as file:
        return set(KEY.findall(file.read()))
    return set()


def tidy(app: App) -> None:
    """Remove environments that no release uses; if that fails, the next run tries again."""
    try:
        left = app.worker.tidy(needed(app))
    except (AutoupdateError, OSError) as error:
        said = error.message if isinstance(error, AutoupdateError) else describe(error)
        app.tell(STEP, f"{app.name}: unused environments could not be removed: {said}")
        return
    known = unremoved.read(app.paths)
    gone = {path for path in known if path.startswith(f"{app.paths.environments}/")}
    for key, remaining in left.items():
        place = f"{app.paths.environments}/{key}"
        gone.discard(place)
        report(app, place, f"environment {key}", remaining)
    for place in gone:
        unremoved.forget(app.paths, place)


def needed(app: App) -> set[str]:
    """Return the environments that are kept."""
    return {release.environment for release in app.records.releases()} | spares(app)


def has_loose_environments(app: App) -> bool:
    """Return whether there are environments that no release uses."""
    with suppress(FileNotFoundError):
        found = set(filter(KEY.fullmatch, os.listdir(app.paths.environments)))
        return bool(found - needed(app))
    return False


def remove(app: App, release: str) -> None:
    """Remove one release; what is left of it has no record, and the next run removes it."""
    # Its record goes first: half a release must not look like one to roll back to.
    app.records.forget_release(release)
    place = app.paths.release(release)
    try:
        left = app.worker.remove(release)
    except AutoupdateError as error:
        left = (Remaining(place, error.message, error.advice),)
    if left:
        report(app, place, f"release {release}", left, release)
    else:
        unremoved.forget(app.paths, place)


def clear_away(app: App) -> None:
    """Have the trash emptied by a unit of its own, or do it here if none can be started.

    Needs no lock: whoever waits for the app need not wait for this.
    """
    if not trash.is_empty(app.paths) and not app.host.transient_units.clean(app.name):
        empty_trash(app)


def make_room(app: App) -> bool:
    """Empty the trash now, as space is short; return whether there was something in it."""
    if trash.is_empty(app.paths):
        return False
    empty_trash(app)
    return True


def empty_trash(app: App) -> None:
    """Remove what is in the trash, and report what cannot be removed."""
    for place, remaining in trash.empty(app.paths).items():
        report(app, place, f"{os.path.basename(place)}, which is no longer needed,", remaining)


def report(app: App, place: str, what: str, left: tuple[Remaining, ...], release: str = "") -> None:
    """Log what could not be removed and why, unless an earlier run has; each run tries again."""
    first = left[0]
    others = f", and {len(left) - 1} more in it" if len(left) > 1 else ""
    where = "" if first.path == place else f"{first.path}: "
    said = f"{where}{first.why}{others}"
    if not unremoved.note(app.paths, place, said, first.advice):
        return
    advice = f"; type: {first.advice}" if first.advice else ""
    app.tell(STEP, f"{app.name}: {what} could not be removed: {said}; this is tried again at each"
             f" run, and not reported again{advice}", release=release)  # fmt: skip


def remove_unless_used(app: App, release: str) -> None:
    """Remove one release, unless a process runs from it; then `prune` removes it later."""
    if not is_used(app.paths.release(release), used_paths()):
        remove(app, release)


def before(app: App, release: str, bad: str) -> str:
    """Return the newest complete release that is older than `release`, except `bad`.

    This is where `previous` should point. A release whose commit is in quarantine is returned only
    if there is no other.
    """
    releases = app.records.releases()
    ids = [item.id for item in releases]
    older = releases[: ids.index(release)] if release in ids else []
    usable = [item for item in older if item.id != bad and is_complete(app.paths, item.id)]
    quarantined = {item.commit for item in app.records.quarantined()}
    # False sorts before True: the last one is the newest that is not in quarantine.
    usable.sort(key=lambda item: item.commit not in quarantined)
    return usable[-1].id if usable else ""


def waiting(app: App) -> list[Release]:
    """Return the releases that were never switched to."""
    linked = (linked_release(app.paths.current), linked_release(app.paths.previous))
    return [
        release
        for release in app.records.releases()
        if not release.activated_at and release.id not in linked
    ]


def find_staged(app: App, commit: str) -> Release | None:
    """Return the release that an earlier run built of a commit, if it can still run."""
    python = app.settings.build.python
    found = [
        item
        for item in waiting(app)
        if item.commit == commit
        and is_usable(app.paths, python, item)
        and not applied.changed(item.settings, app.settings)
    ]
    return found[-1] if found else None


def take_staged(app: App, transaction: Transaction) -> tuple[Transaction, Release] | None:
    """Continue with the release that an earlier run built of this commit; None without one.

    Releases that earlier runs built of other commits are removed.
    """
    taken = find_staged(app, transaction.commit)
    for release in waiting(app):
        if release != taken:
            remove(app, release.id)
    if taken is None:
        return None
    app.records.set_target(transaction.id, taken.commit, taken.id)
    app.tell(STEP, f"{app.name}: continuing with release {taken.id}, built at {taken.created_at}",
             commit=taken.commit, release=taken.id, step=transaction.step)  # fmt: skip
    return app.records.transaction(transaction.id), taken


def is_built(app: App, transaction: Transaction) -> bool:
    """Return whether the release of a transaction is built."""
    return app.records.release(transaction.release) is not None
