"""What every user may know of the state: a copy for those who may not open `state.db`.

Whoever may open a file may lock it, and SQLite waits for such a lock: users who may open the state
could keep every update from being written down. The copy is never locked by us, only replaced.
"""

import json
import os
import sqlite3
from contextlib import suppress

from autoupdate.records import database
from autoupdate.records.database import StateError

# Each table, as others see it; all 100,000 transactions of a long life are not copied at each step.
TABLES = {
    "releases": "SELECT * FROM releases ORDER BY rowid",
    # An open one, the last hundred, and the last update of all (kept.py).
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
    "trusted": """
SELECT * FROM trusted
WHERE "commit" IN (SELECT "commit" FROM releases UNION SELECT "commit" FROM candidate)""",
    # How many wait for whom; what they say is for those who are told.
    "outbox": """
SELECT id, event, '', created_at, target, attempts, next_at, '' FROM outbox WHERE sent_at = ''""",
}
# What comes of a copy that was not written by us.
NOT_OURS = (
    OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError,
    sqlite3.Error,
)  # fmt: skip


def file_beside(state: str) -> str:
    """Return the path of the copy."""
    return f"{os.path.dirname(state)}/public.json"


def write(connection: sqlite3.Connection, state: str) -> None:
    """Make the copy what the state is now; who writes holds SQLite's lock against other writers.

    It is flushed, so that a power cut leaves this copy or the one before. One that cannot be made
    is worse than none: the one before goes.
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
    """Tell whether the caller may read the copy alone."""
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
            f"{file}, the copy of the state for other users than root, cannot be read: {said}",
            "try it with sudo; the next run writes the copy anew",
        ) from None


def _content(file: str) -> str:
    try:
        with open(file, encoding="utf-8") as stream:
            return stream.read()
    except (FileNotFoundError, ValueError):
        return ""
