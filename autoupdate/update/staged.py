"""Releases that are built and rehearsed, and wait for the moment at which they may be switched to.

They are those that were never activated. There is at most one: a newer commit's takes its place.
"""

from autoupdate.app import App
from autoupdate.gates.runnable import is_usable
from autoupdate.host.links import linked_release
from autoupdate.model.events import STEP
from autoupdate.records.rows import Release, Transaction
from autoupdate.update import retention


def waiting(app: App) -> list[Release]:
    """Return the releases that no run has switched to."""
    linked = (linked_release(app.paths.current), linked_release(app.paths.previous))
    return [
        release
        for release in app.records.releases()
        if not release.activated_at and release.id not in linked
    ]


def find_staged(app: App, commit: str) -> Release | None:
    """Return the release that an earlier run built of a commit, if it can still be run."""
    python = app.settings.build.python
    found = [
        item
        for item in waiting(app)
        if item.commit == commit and is_usable(app.paths, python, item)
    ]
    return found[-1] if found else None


def take_staged(app: App, transaction: Transaction) -> tuple[Transaction, Release] | None:
    """Go on with the release that an earlier run built of this very commit; None without one.

    What earlier runs built of other commits is of no use any more, and is removed.
    """
    taken = find_staged(app, transaction.commit)
    for release in waiting(app):
        if release != taken:
            retention.remove(app, release.id)
    if taken is None:
        return None
    app.records.set_target(transaction.id, taken.commit, taken.id)
    app.tell(STEP, f"{app.name}: release {taken.id} was built at {taken.created_at} and waits",
             commit=taken.commit, release=taken.id, step=transaction.step)  # fmt: skip
    return app.records.transaction(transaction.id), taken


def is_built(app: App, transaction: Transaction) -> bool:
    """Tell whether the release of a transaction is complete."""
    return app.records.release(transaction.release) is not None
