"""The SQLite file: its tables, how it is opened, and what its errors mean."""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from autoupdate.model.errors import HostFaultError

# Each entry migrates from one schema version to the next. Released entries never change.
MIGRATIONS = (
    """
CREATE TABLE releases (
    id TEXT PRIMARY KEY, "commit" TEXT NOT NULL, created_at TEXT NOT NULL,
    activated_at TEXT NOT NULL DEFAULT '', signer TEXT NOT NULL DEFAULT '',
    environment TEXT NOT NULL DEFAULT '', interpreter TEXT NOT NULL DEFAULT '',
    bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE transactions (
    id INTEGER PRIMARY KEY, "trigger" TEXT NOT NULL, "commit" TEXT NOT NULL,
    "release" TEXT NOT NULL DEFAULT '', previous TEXT NOT NULL DEFAULT '',
    services TEXT NOT NULL DEFAULT '', step TEXT NOT NULL,
    started_at TEXT NOT NULL, finished_at TEXT NOT NULL DEFAULT '',
    result TEXT NOT NULL DEFAULT '', exit_code INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX unfinished ON transactions (id) WHERE finished_at = '';
CREATE TABLE steps (
    "transaction" INTEGER NOT NULL, step TEXT NOT NULL, began_at TEXT NOT NULL,
    ended_at TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX steps_of ON steps ("transaction");
CREATE TABLE attempts (
    "commit" TEXT PRIMARY KEY, failed INTEGER NOT NULL, interrupted INTEGER NOT NULL,
    last_at TEXT NOT NULL, reason TEXT NOT NULL
) STRICT;
CREATE TABLE failed_environments (
    environment TEXT PRIMARY KEY, "commit" TEXT NOT NULL, reason TEXT NOT NULL, since TEXT NOT NULL
) STRICT;
CREATE TABLE quarantine (
    "commit" TEXT PRIMARY KEY, step TEXT NOT NULL, reason TEXT NOT NULL, since TEXT NOT NULL
) STRICT;
CREATE TABLE last_run (
    one INTEGER PRIMARY KEY CHECK (one = 1), result TEXT NOT NULL, exit_code INTEGER NOT NULL,
    started_at TEXT NOT NULL, finished_at TEXT NOT NULL, reason TEXT NOT NULL
) STRICT;
CREATE TABLE last_success (one INTEGER PRIMARY KEY CHECK (one = 1), at TEXT NOT NULL) STRICT;
CREATE TABLE candidate (
    one INTEGER PRIMARY KEY CHECK (one = 1), "commit" TEXT NOT NULL, seen_at TEXT NOT NULL
) STRICT;
""",
    """
CREATE TABLE hold (
    one INTEGER PRIMARY KEY CHECK (one = 1), since TEXT NOT NULL, until TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE TABLE pin (
    one INTEGER PRIMARY KEY CHECK (one = 1), "commit" TEXT NOT NULL, since TEXT NOT NULL
) STRICT;
CREATE TABLE first_seen ("commit" TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT;
CREATE TABLE high_water (
    one INTEGER PRIMARY KEY CHECK (one = 1), "commit" TEXT NOT NULL, tag TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;
CREATE TABLE accepted_rewrites ("commit" TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT;
CREATE TABLE tags (
    name TEXT PRIMARY KEY, "commit" TEXT NOT NULL, first_seen_at TEXT NOT NULL
) STRICT;
CREATE TABLE candidate_tag (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL) STRICT;
CREATE TABLE trusted (
    "commit" TEXT PRIMARY KEY, passes INTEGER NOT NULL, signer TEXT NOT NULL, reason TEXT NOT NULL,
    basis TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY, event TEXT NOT NULL, message TEXT NOT NULL, created_at TEXT NOT NULL,
    target TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_at TEXT NOT NULL,
    sent_at TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX unsent ON outbox (id) WHERE sent_at = '';
CREATE TABLE remembered (name TEXT PRIMARY KEY, about TEXT NOT NULL, since TEXT NOT NULL) STRICT;
""",
    """
ALTER TABLE releases ADD COLUMN settings TEXT NOT NULL DEFAULT '';
ALTER TABLE quarantine ADD COLUMN tries INTEGER NOT NULL DEFAULT 1;
ALTER TABLE quarantine ADD COLUMN last_at TEXT NOT NULL DEFAULT '';
ALTER TABLE failed_environments ADD COLUMN tries INTEGER NOT NULL DEFAULT 1;
""",
)
SCHEMA_VERSION = len(MIGRATIONS)


# The errors of a file that is damaged, or is not a database.
ERRORS = (sqlite3.Error, UnicodeDecodeError)


class StateError(HostFaultError):
    """The state of an app cannot be used."""


class DamagedStateError(StateError):
    """The file with the state is damaged, or is not a database."""


def connect(path: str, *, read_only: bool) -> sqlite3.Connection:
    """Open the file; for a writer, create or migrate its tables first. Raises StateError."""
    try:
        if not read_only:
            _make_private(path)
        connection = _connect(path, "ro" if read_only else "rwc")
        try:
            return _prepare(connection, path, read_only=read_only)
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorname != "SQLITE_READONLY_ROLLBACK":
                raise
            return _prepare(_connect_to_copy(path), path, read_only=True)
    except ERRORS as error:
        raise fault(path, "opened", error) from None


def _make_private(path: str) -> None:
    """Keep others from opening and locking the file; SQLite gives its journal the same mode."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    # By name: opening and closing the file would release this process's locks on it (fcntl(2)).
    if os.stat(path).st_mode & 0o077:
        os.chmod(path, 0o600)


def filled(version: int, tables: Mapping[str, Sequence[Sequence[Any]]]) -> sqlite3.Connection:
    """Return a state in memory with these rows, which have the schema of a version."""
    made = sqlite3.connect(":memory:", isolation_level=None)
    _migrate(made, 0, version)
    made.execute("BEGIN")
    for name, rows in tables.items():
        for row in rows:
            made.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
    made.execute("COMMIT")
    _migrate(made, version)
    return made


def copy(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Return a copy in memory of an open state."""
    copied = sqlite3.connect(":memory:", isolation_level=None)
    connection.backup(copied)
    return copied


def fault(path: str, done: str, error: sqlite3.Error | UnicodeDecodeError) -> StateError:
    """Return our error for one of SQLite's errors."""
    # An extended code has the kind of error in its lowest byte (sqlite.org/rescode).
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    damaged = code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    # Somebody removed or replaced the file while it was open.
    damaged |= code == sqlite3.SQLITE_READONLY_DBMOVED
    # Damaged texts, or damaged names of tables.
    damaged |= isinstance(error, UnicodeDecodeError) or "decode to UTF-8" in str(error)
    kind = DamagedStateError if damaged else StateError
    return kind(f"{path} cannot be {done}: {error}")


def refuse_newer(path: str, version: int) -> None:
    """Raise StateError for a schema that is newer than this version of the package."""
    if version > SCHEMA_VERSION:
        raise StateError(
            f"{path} was written by a newer version of this package (schema {version},"
            f" known here: {SCHEMA_VERSION})",
            "install that version again; nothing was changed",
        )


def _prepare(connection: sqlite3.Connection, path: str, *, read_only: bool) -> sqlite3.Connection:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    refuse_newer(path, version)
    if read_only:
        if not version:
            raise DamagedStateError(f"{path} is empty")
        return connection if version == SCHEMA_VERSION else _migrated_copy(connection, version)
    # With EXTRA, the deletion of the rollback journal is durable, too (sqlite.org/pragma).
    connection.execute("PRAGMA synchronous = EXTRA")
    _migrate(connection, version)
    return connection


def _migrate(connection: sqlite3.Connection, version: int, to: int = SCHEMA_VERSION) -> None:
    """Migrate the tables, each version in its own transaction."""
    for number, migration in enumerate(MIGRATIONS[version:to], start=version + 1):
        connection.executescript(
            f"BEGIN EXCLUSIVE; {migration} PRAGMA user_version = {number}; COMMIT;"
        )


def _migrated_copy(connection: sqlite3.Connection, version: int) -> sqlite3.Connection:
    """Return an older state migrated in memory, as a reader must not write to the file.

    Needed after an upgrade of the package, until the next run migrates the file.
    """
    copy = sqlite3.connect(":memory:", isolation_level=None)
    connection.backup(copy)
    connection.close()
    _migrate(copy, version)
    return copy


def _connect(path: str, mode: str) -> sqlite3.Connection:
    location = f"file:{path.replace('%', '%25').replace('?', '%3f')}?mode={mode}"
    return sqlite3.connect(location, uri=True, isolation_level=None, timeout=10)


def _connect_to_copy(path: str) -> sqlite3.Connection:
    """Open a copy of a file that a run left in the middle of a commit.

    Only a writer can roll that back (sqlite.org/lockingv3, hot journals), and a reader must not
    wait for the next run.
    """
    import shutil
    import tempfile

    journal = f"{path}-journal"
    with tempfile.TemporaryDirectory() as scratch:
        copy = f"{scratch}/state.db"
        while True:
            try:
                before = os.stat(journal)
                shutil.copyfile(journal, f"{copy}-journal")
                shutil.copyfile(path, copy)
                after = os.stat(journal)
            except FileNotFoundError:
                # The next run has started, and rolled it back.
                return _connect(path, "ro")
            if (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns):
                break
        connection = _connect(copy, "rw")
        # This rolls back. An open file can be read after its name is removed.
        connection.execute("SELECT count(*) FROM transactions")
        return connection
