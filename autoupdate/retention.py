"""Which releases stay on disk."""

from autoupdate.app import App
from autoupdate.decide import is_complete
from autoupdate.in_use import is_used, used_paths
from autoupdate.publish import linked_release


def prune(app: App) -> None:
    """Remove the oldest releases beyond `keep`; current and previous always stay."""
    linked = {linked_release(app.paths.current), linked_release(app.paths.previous)}
    releases = [release.id for release in app.store.releases()]
    loose = [release for release in releases if release not in linked]
    surplus = loose[: max(0, len(releases) - app.settings.keep)]
    used = used_paths() if surplus else set()
    for release in surplus:
        # A process of an old release goes on importing from it.
        if not is_used(app.paths.release(release), used):
            remove(app, release)
    tidy(app)


def tidy(app: App) -> None:
    """Remove the environments of which no release is made."""
    app.workshop.tidy({release.environment for release in app.store.releases()})


def remove(app: App, release: str) -> None:
    """Remove one release."""
    app.workshop.remove(release)
    app.store.forget_release(release)


def before(app: App, release: str, bad: str) -> str:
    """Return the newest complete release older than one; what `previous` should lead to."""
    ids = [item.id for item in app.store.releases()]
    older = ids[: ids.index(release)] if release in ids else []
    usable = [item for item in older if item != bad and is_complete(app, item)]
    return usable[-1] if usable else ""
