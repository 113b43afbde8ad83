"""Local changes to a release are saved as a stash before another release is switched to."""

from autoupdate.app import App
from autoupdate.model.errors import DamagedMirrorError
from autoupdate.model.events import STASHED, STEP
from autoupdate.records.rows import Transaction
from autoupdate.update.fetch import with_sound_mirror


def save_local_changes(app: App, transaction: Transaction) -> None:
    """Save local changes to the release that is switched from, and log the files."""
    left = transaction.previous
    message = f"autoupdate: local changes in release {left}, saved {app.clock.now()}"
    paths = stash(app, transaction, message)
    if paths:
        named = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
        app.tell(
            STASHED,
            f"{app.name}: local changes to release {left} were saved as a stash ({named});"
            f" to list them: sudo -u _autoupdate git -C {app.paths.mirror} stash list",
            release=left,
        )


def stash(app: App, transaction: Transaction, message: str) -> tuple[str, ...]:
    """Save local changes; return the changed paths."""
    left, shared = transaction.previous, app.settings.shared
    try:
        return with_sound_mirror(
            app,
            transaction.commit,
            lambda: app.worker.save_local_changes(left, shared, message),
        )
    except DamagedMirrorError as error:
        # The mirror has lost the commit of that release, and upstream no longer has it.
        reason = f"cannot be saved, and are kept only in its directory: {error}"
        app.tell(STEP, f"{app.name}: local changes to release {left} {reason}", release=left)
        return ()
