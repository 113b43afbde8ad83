"""The commits that an administrator accepted despite a rewritten history (accept-rewrite)."""

from autoupdate.records.records import Records


def accept(records: Records, commit: str, at: str) -> None:
    """Record that a commit is accepted."""
    records.write("INSERT OR REPLACE INTO accepted_rewrites VALUES (?, ?)", [commit, at])


def forget(records: Records, commit: str) -> None:
    """Forget an acceptance that was used."""
    records.write('DELETE FROM accepted_rewrites WHERE "commit" = ?', [commit])


def accepted_at(records: Records, commit: str) -> str:
    """Return when somebody typed accept-rewrite for a commit; empty if nobody did."""
    rows = records.rows('SELECT at FROM accepted_rewrites WHERE "commit" = ?', [commit])
    return str(rows[0][0]) if rows else ""
