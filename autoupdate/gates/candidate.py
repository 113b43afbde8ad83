"""The candidate: who chose it, by which tag, and what to fetch for it."""

from autoupdate.app import App
from autoupdate.model.track import TAGS, branch_ref, follows_tags, kind_of, name_of
from autoupdate.records.tags import chosen

EVERY_TAG = "*"
NAMED = "not checked: the administrator chose this commit"


def is_named(app: App, commit: str) -> bool:
    """Return whether the administrator chose this commit, by a pin or by `upstream.track`.

    Its age, its history and its tag are then not checked; its signatures still are.
    """
    track = app.settings.upstream.track
    if kind_of(track) == "commit" and name_of(track) == commit:
        return True
    return bool(app.records.rows('SELECT 1 FROM pin WHERE "commit" = ?', [commit]))


def tag_of(app: App, commit: str) -> str:
    """Return the tag that chose a candidate; empty without one."""
    if not follows_tags(app.settings.upstream.track) or is_named(app, commit):
        return ""
    return chosen(app.records)


def wanted_ref(app: App, commit: str) -> str:
    """Return what to fetch for a candidate: the ref of its branch or tag, or the commit itself."""
    if is_named(app, commit):
        return commit
    tag = tag_of(app, commit)
    return f"{TAGS}{tag}" if tag else branch_ref(app.settings.upstream.track) or commit


def wanted_tags(app: App, commit: str) -> tuple[str, ...]:
    """Return the tags to fetch as well, so that their signatures can be verified."""
    trust = app.settings.trust
    if trust.signatures == "off" or trust.on == "commit":
        return ()
    return (tag_of(app, commit) or EVERY_TAG,)
