"""The tags that were seen upstream, where each led when it was first seen, and the chosen one.

A tag is a name for one commit for ever. One that leads elsewhere later is never followed there.
"""

from autoupdate.app import App
from autoupdate.gates.candidate import is_named
from autoupdate.model.track import TAGS, Found, branch_ref, follows_tags
from autoupdate.records.records import Store

EVERY_TAG = "*"


def remember(store: Store, found: Found, at: str) -> None:
    """Record which tag was chosen, and the tags that were never seen before."""
    if not found.tag:
        return
    known = commits(store)
    new = [tag for tag in found.tags if tag.name not in known]
    if not new and chosen(store) == found.tag:
        return
    with store.atomic():
        for tag in new:
            store.write("INSERT INTO tags VALUES (?, ?, ?)", [tag.name, tag.commit, at])
        store.write("INSERT OR REPLACE INTO candidate_tag VALUES (1, ?)", [found.tag])


def commits(store: Store) -> dict[str, str]:
    """Return the commit that each known tag led to when it was first seen."""
    return dict(store.rows('SELECT name, "commit" FROM tags'))


def chosen(store: Store) -> str:
    """Return the name of the tag that the last check chose; empty if there was none."""
    rows = store.rows("SELECT name FROM candidate_tag")
    return str(rows[0][0]) if rows else ""


def let_move(store: Store, name: str, commit: str) -> None:
    """Record that a tag leads elsewhere now, as somebody accepted it."""
    store.write('UPDATE tags SET "commit" = ? WHERE name = ?', [commit, name])


def tag_of(app: App, commit: str) -> str:
    """Return the tag by which a candidate was chosen; empty if it was chosen without one."""
    if not follows_tags(app.settings.upstream.track) or is_named(app, commit):
        return ""
    return chosen(app.store)


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
