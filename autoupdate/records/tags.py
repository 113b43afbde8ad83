"""The tags seen upstream, the commit that each first pointed to, and the chosen tag.

A tag is the name of one commit for ever. A tag that moves later is not followed.
"""

from autoupdate.model.track import Found
from autoupdate.records.records import Records


def remember(records: Records, found: Found, at: str) -> None:
    """Record which tag was chosen, and the tags that are new."""
    if not found.tag:
        return
    known = commits(records)
    new = [tag for tag in found.tags if tag.name not in known]
    if not new and chosen(records) == found.tag:
        return
    with records.atomic():
        for tag in new:
            records.write("INSERT INTO tags VALUES (?, ?, ?)", [tag.name, tag.commit, at])
        records.write("INSERT OR REPLACE INTO candidate_tag VALUES (1, ?)", [found.tag])


def commits(records: Records) -> dict[str, str]:
    """Return the commit that each known tag pointed to when it was first seen."""
    return dict(records.rows('SELECT name, "commit" FROM tags'))


def chosen(records: Records) -> str:
    """Return the name of the tag that the last check chose; empty if there was none."""
    rows = records.rows("SELECT name FROM candidate_tag")
    return str(rows[0][0]) if rows else ""


def let_move(records: Records, name: str, commit: str) -> None:
    """Record the new commit of a moved tag, which an administrator accepted."""
    records.write('UPDATE tags SET "commit" = ? WHERE name = ?', [commit, name])
