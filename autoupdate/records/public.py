"""What every user may read of the state: a copy, because only root may open `state.db`.

Whoever can open a file can lock it, and SQLite waits for such a lock. So users who could open the
state could block every update. The copy is never locked, only replaced.
"""

import json
import os
import sqlite3
from contextlib import suppress

from autoupdate.records import database
from autoupdate.records.database import StateError

# Each table as others see it. A long history is not copied, as this is done at each step.
TABLES = {
    "releases": "SELECT * FROM releases ORDER BY rowid",
    # An open one, the last hundred, and the last update (adoption/kept.py).
    "transactions": """
SELECT * FROM transactions WHERE finished_at = '' UNION
SELECT * FROM (SELECT * FROM transactions ORDER BY id DESC LIMIT 100) UNION
SELECT * FROM (SELECT * FROM transactions WHERE result = 'updated' AND "trigger" <> 'adopt'
               ORDER BY id DESC LIMIT 1) ORDER BY id""",
    "attempts": "SELECT * FROM attempts ORDER BY rowid",
    "quarantine": "SELECT * FROM quarantine ORDER BY rowid",
    "last_run": "SELECT * FROM last_run",
    "last_success": "SELECT * FROM last_success",
    "candidate": "SELECT * FROM candidate",
    "hold": "SELECT * FROM hold",
    "pin": "SELECT * FROM pin",
    "remembered": "SELECT * FROM remembered WHERE name = 'network trouble'"
    " OR name LIKE 'cannot-rehearse %'",
    "trusted": """
SELECT * FROM trusted
WHERE "commit" IN (SELECT "commit" FROM releases UNION SELECT "commit" FROM candidate)""",
    # How many messages wait for each target, without their text.
    "outbox": """
SELECT id, event, '', created_at, target, attempts, next_at, '' FROM outbox WHERE sent_at = ''""",
}
# The errors that a copy in another form can cause.
NOT_OURS = (
    OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError,
    sqlite3.Error,
)  # fmt: skip


def file_beside(state: str) -> str:
    """Return the path of the copy."""
    return f"{os.path.dirname(state)}/public.json"


def write(connection: sqlite3.Connection, state: str) -> None:
    """Write the copy; the caller holds SQLite's lock against other writers.

    It is flushed, so that a power cut leaves this copy or the previous one. If it cannot be
    written, the previous copy is removed, as it would be wrong.
    """
    tables = {name: connection.execute(query).fetchall() for name, query in TABLES.items()}
    text = json.dumps({"schema": database.SCHEMA_VERSION, "tables": tables}, indent=0)
    file = file_beside(state)
    try:
        if _content(file) == text:
            return
        with open(f"{file}.new", "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), 0o644)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(f"{file}.new", file)
    except OSError:
        with suppress(OSError):
            os.unlink(file)


def is_for_me(state: str) -> bool:
    """Return whether the caller may read only the copy."""
    return os.path.exists(state) and not os.access(state, os.R_OK)


def connect(state: str) -> sqlite3.Connection:
    """Open the copy, in memory. Raises StateError."""
    file = file_beside(state)
    try:
        with open(file, encoding="utf-8") as stream:
            copy = json.load(stream)
        version, tables = int(copy["schema"]), copy["tables"]
        database.refuse_newer(file, version)
        return database.filled(version, {name: tables.get(name, []) for name in TABLES})
    except NOT_OURS as error:
        said = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise StateError(
            f"{file}, the copy of the state for users other than root, cannot be read: {said}",
            "try it with sudo; the next run writes the copy again",
        ) from None


def _content(file: str) -> str:
    try:
        with open(file, encoding="utf-8") as stream:
            return stream.read()
    except (FileNotFoundError, ValueError):
        return ""
