"""Releases that are built and rehearsed, and wait until they may be switched to.

These are the releases that were never activated. There is at most one: that of a newer commit
replaces it.
"""

from autoupdate.app import App
from autoupdate.gates.runnable import is_usable
from autoupdate.host.links import linked_release
from autoupdate.model.events import STEP
from autoupdate.records.rows import Release, Transaction
from autoupdate.update import retention


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
        if item.commit == commit and is_usable(app.paths, python, item)
    ]
    return found[-1] if found else None


def take_staged(app: App, transaction: Transaction) -> tuple[Transaction, Release] | None:
    """Continue with the release that an earlier run built of this commit; None without one.

    Releases that earlier runs built of other commits are removed.
    """
    taken = find_staged(app, transaction.commit)
    for release in waiting(app):
        if release != taken:
            retention.remove(app, release.id)
    if taken is None:
        return None
    app.records.set_target(transaction.id, taken.commit, taken.id)
    app.tell(STEP, f"{app.name}: continuing with release {taken.id}, built at {taken.created_at}",
             commit=taken.commit, release=taken.id, step=transaction.step)  # fmt: skip
    return app.records.transaction(transaction.id), taken


def is_built(app: App, transaction: Transaction) -> bool:
    """Return whether the release of a transaction is built."""
    return app.records.release(transaction.release) is not None
