"""Notifications that are still to be sent: one row for each event and each of `notify.urls`.

A run only writes rows; another process (notifications/sender.py) sends them. URLs contain secrets,
and any user may read which messages wait. So a row names its target by scheme and number, such as
"mailtos#1".
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from autoupdate.config.sections import Notify
from autoupdate.model.events import Kind
from autoupdate.records.records import Records

# Events that every run or service start repeats. They are sent once, until their message changes.
REPEATED = ("failed", "blocked", "refused", "unsigned", "untrusted")
# How many days sent messages, and those that cannot be sent, are kept.
KEPT_DAYS = 30


class Row(NamedTuple):
    """One message to one target; times are RFC 3339 UTC, `sent_at` empty while it waits."""

    id: int
    event: str
    message: str
    created_at: str
    target: str
    attempts: int
    next_at: str
    sent_at: str


def targets(urls: Sequence[str]) -> dict[str, str]:
    """Return the URLs by a name without secrets: the scheme, and a number."""
    seen: Counter[str] = Counter()
    named = {}
    for url in urls:
        scheme, found, _ = url.partition("://")
        scheme = scheme.lower() if found and scheme.isalnum() else "unknown"
        seen[scheme] += 1
        named[f"{scheme}#{seen[scheme]}"] = url
    return named


def put(records: Records, settings: Notify, kind: Kind, message: str, now: str) -> None:
    """Add an event to the outbox, if the administrator wants to be notified of it."""
    if kind.told_as not in settings.events or (
        kind.told_as in REPEATED and message == last_message(records, kind.told_as)
    ):
        return
    with records.atomic():
        for target in targets(settings.urls):
            records.write(
                "INSERT INTO outbox (event, message, created_at, target, next_at)"
                " VALUES (?, ?, ?, ?, ?)",
                [kind.told_as, message, now, target, now],
            )


def last_message(records: Records, event: str) -> str:
    """Return the last message about an event; empty if updates have worked again since."""
    rows = records.rows(
        "SELECT event, message FROM outbox WHERE event IN (?, 'recovered', 'updated')"
        " ORDER BY id DESC LIMIT 1",
        [event],
    )
    return rows[0][1] if rows and rows[0][0] == event else ""


def is_waiting(records: Records) -> bool:
    """Return whether anything is still to be sent."""
    return bool(records.rows("SELECT 1 FROM outbox WHERE sent_at = '' LIMIT 1"))


def pending(records: Records, target: str) -> list[Row]:
    """Return what is still to be sent to a target, oldest first."""
    query = "SELECT * FROM outbox WHERE target = ? AND sent_at = '' ORDER BY id"
    return [Row(*row) for row in records.rows(query, [target])]


def mark_sent(records: Records, rows: Sequence[Row], now: str) -> None:
    """Record that messages were delivered."""
    with records.atomic():
        for row in rows:
            records.write("UPDATE outbox SET sent_at = ? WHERE id = ?", [now, row.id])


def postpone(records: Records, row: Row, next_at: str) -> None:
    """Record that a message was not delivered, and when to try again."""
    records.write(
        "UPDATE outbox SET attempts = attempts + 1, next_at = ? WHERE id = ?", [next_at, row.id]
    )


def clean(records: Records, known: Sequence[str], long_ago: str) -> int:
    """Delete old messages and those for removed targets; return how many were never sent."""
    marks = ", ".join("?" * len(known))
    gone = f"sent_at = '' AND (created_at < ? OR target NOT IN ({marks}))"
    lost = records.rows(f"SELECT count(*) FROM outbox WHERE {gone}", [long_ago, *known])[0][0]  # noqa: S608
    if lost:
        records.write(f"DELETE FROM outbox WHERE {gone}", [long_ago, *known])  # noqa: S608
    records.write("DELETE FROM outbox WHERE sent_at <> '' AND sent_at < ?", [long_ago])
    return int(lost)
