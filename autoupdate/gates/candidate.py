"""The candidate: who named it, by which tag it was chosen, and what to fetch of it."""

from autoupdate.app import App
from autoupdate.model.track import TAGS, branch_ref, follows_tags, kind_of, name_of
from autoupdate.records.tags import chosen

EVERY_TAG = "*"


def is_named(app: App, commit: str) -> bool:
    """Tell whether the administrator asked for this very commit, by a pin or by `upstream.track`.

    Such a commit goes past lineage and past moved tags; of signatures that says nothing.
    """
    track = app.settings.upstream.track
    if kind_of(track) == "commit" and name_of(track) == commit:
        return True
    return bool(app.records.rows('SELECT 1 FROM pin WHERE "commit" = ?', [commit]))


def tag_of(app: App, commit: str) -> str:
    """Return the tag by which a candidate was chosen; empty if it was chosen without one."""
    if not follows_tags(app.settings.upstream.track) or is_named(app, commit):
        return ""
    return chosen(app.records)


def wanted_ref(app: App, commit: str) -> str:
    """Return what to fetch for a candidate: the full name of its branch or tag, or its own name."""
    if is_named(app, commit):
        return commit
    tag = tag_of(app, commit)
    return f"{TAGS}{tag}" if tag else branch_ref(app.settings.upstream.track) or commit


def wanted_tags(app: App, commit: str) -> tuple[str, ...]:
    """Return the tags to fetch besides, so that their signatures can be seen."""
    trust = app.settings.trust
    if trust.signatures == "off" or trust.on == "commit":
        return ()
    return (tag_of(app, commit) or EVERY_TAG,)
