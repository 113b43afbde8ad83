"""What must not be forgotten: releases, transactions, the last run, quarantine. SQLite, one file.

Only root writes; any user may read. Each write is durable when its method returns.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from autoupdate.errors import AutoupdateError, Exit
from autoupdate.state import Result, Step, may_follow

SCHEMA_VERSION = 1
SCHEMA = """
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
"""


class Release(NamedTuple):
    """A deployed commit with its environment; times are RFC 3339 UTC, empty for never."""

    id: str
    commit: str
    created_at: str
    activated_at: str
    signer: str
    environment: str
    interpreter: str
    bytes: int


class Attempts(NamedTuple):
    """How often a commit could not be brought in for reasons that are not its own."""

    commit: str
    failed: int
    interrupted: int
    last_at: str
    reason: str


class FailedEnvironment(NamedTuple):
    """A set of dependencies that cannot be installed."""

    environment: str
    commit: str
    reason: str
    since: str


class StepTaken(NamedTuple):
    """One step of a transaction, for the history."""

    step: str
    began_at: str
    ended_at: str


class Transaction(NamedTuple):
    """One attempt to bring a commit in; `services` are those it restarted or that wait for it."""

    id: int
    trigger: str
    commit: str
    release: str
    previous: str
    services: str
    step: str
    started_at: str
    finished_at: str
    result: str
    exit_code: int
    reason: str


class Quarantined(NamedTuple):
    """A commit that failed here, in which step, and why."""

    commit: str
    step: str
    reason: str
    since: str


class LastRun(NamedTuple):
    """The last run of all, also one that found nothing to do."""

    result: str
    exit_code: int
    started_at: str
    finished_at: str
    reason: str


class Candidate(NamedTuple):
    """The newest commit seen upstream, and when it was first seen here."""

    commit: str
    seen_at: str


class Store:
    """The state of one app."""

    def __init__(self, path: str, *, read_only: bool = False) -> None:
        self._path = path
        mode = "ro" if read_only else "rwc"
        location = f"file:{path.replace('%', '%25').replace('?', '%3f')}?mode={mode}"
        try:
            self._connection = sqlite3.connect(location, uri=True, isolation_level=None, timeout=10)
            self._prepare(path, read_only=read_only)
        except sqlite3.Error as error:
            raise self._error("opened", error) from None

    def _prepare(self, path: str, *, read_only: bool) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StateError(
                f"{path} was written by a newer version of this package (schema {version},"
                f" known here: {SCHEMA_VERSION})",
                "install that version again; nothing was changed",
            )
        if read_only:
            return
        # With EXTRA the deletion of the rollback journal is durable, too (sqlite.org/pragma).
        self._connection.execute("PRAGMA synchronous = EXTRA")
        if version == 0:
            self._connection.executescript(
                f"BEGIN EXCLUSIVE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _error(self, done: str, error: sqlite3.Error) -> "StateError":
        # A full disk or a lock is an OperationalError; what remains is a file that is no database.
        damaged = not isinstance(error, sqlite3.OperationalError)
        kind = DamagedStateError if damaged else StateError
        return kind(f"{self._path} cannot be {done}: {error}")

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._error("read", error) from None

    def _write(self, query: str, values: Sequence[Any] = ()) -> int:
        try:
            return self._connection.execute(query, values).lastrowid or 0
        except sqlite3.Error as error:
            raise self._error("written", error) from None

    def releases(self) -> list[Release]:
        """Return all known releases, oldest first."""
        return [Release(*row) for row in self._rows("SELECT * FROM releases ORDER BY rowid")]

    def release(self, release: str) -> Release | None:
        """Return one release."""
        rows = self._rows("SELECT * FROM releases WHERE id = ?", [release])
        return Release(*rows[0]) if rows else None

    def add_release(self, release: Release) -> None:
        """Remember a release that was built completely."""
        self._write("INSERT INTO releases VALUES (?, ?, ?, ?, ?, ?, ?, ?)", release)

    def set_activated(self, release: str, at: str) -> None:
        """Remember when a release was switched to."""
        self._write("UPDATE releases SET activated_at = ? WHERE id = ?", [at, release])

    def forget_release(self, release: str) -> None:
        """Forget a release whose directory is gone."""
        self._write("DELETE FROM releases WHERE id = ?", [release])

    def begin(
        self, trigger: str, commit: str, previous: str, at: str, step: Step = Step.FETCH
    ) -> int:
        """Open a transaction in its first step; return its number."""
        self._write("BEGIN IMMEDIATE")
        number = self._write(
            'INSERT INTO transactions ("trigger", "commit", previous, step, started_at)'
            " VALUES (?, ?, ?, ?, ?)",
            [trigger, commit, previous, step, at],
        )
        self._write("INSERT INTO steps VALUES (?, ?, ?, '')", [number, step, at])
        self._write("COMMIT")
        return number

    def transaction(self, number: int) -> Transaction:
        """Return one transaction."""
        return Transaction(*self._rows("SELECT * FROM transactions WHERE id = ?", [number])[0])

    def unfinished(self) -> Transaction | None:
        """Return the transaction that is under way, or was when its run died."""
        rows = self._rows("SELECT * FROM transactions WHERE finished_at = '' ORDER BY id DESC")
        return Transaction(*rows[0]) if rows else None

    def set_target(self, number: int, commit: str, release: str) -> None:
        """Record which commit is being built into which release directory."""
        self._write(
            'UPDATE transactions SET "commit" = ?, "release" = ? WHERE id = ?',
            [commit, release, number],
        )

    def set_services(self, number: int, services: Sequence[str]) -> None:
        """Record the services that the transaction restarts, or that wait for it."""
        self._write(
            "UPDATE transactions SET services = ? WHERE id = ?", [" ".join(services), number]
        )

    def enter(self, number: int, step: Step, at: str) -> None:
        """Record that a transaction has ended one step and begins the next."""
        present = Step(self.transaction(number).step)
        if not may_follow(present, step):
            raise AssertionError(f"transaction {number} cannot go from {present} to {step}")
        self._write("BEGIN IMMEDIATE")
        self._end_step(number, at)
        self._write("INSERT INTO steps VALUES (?, ?, ?, '')", [number, step, at])
        self._write("UPDATE transactions SET step = ? WHERE id = ?", [step, number])
        self._write("COMMIT")

    def _end_step(self, number: int, at: str) -> None:
        query = "UPDATE steps SET ended_at = ? WHERE \"transaction\" = ? AND ended_at = ''"
        self._write(query, [at, number])

    def steps(self, number: int) -> list[StepTaken]:
        """Return the steps of a transaction in their order."""
        query = 'SELECT step, began_at, ended_at FROM steps WHERE "transaction" = ? ORDER BY rowid'
        return [StepTaken(*row) for row in self._rows(query, [number])]

    def finish(self, number: int, result: Result, exit_code: int, reason: str, at: str) -> None:
        """Record how a transaction ended; its step stays, to show how far it came."""
        self._write("BEGIN IMMEDIATE")
        self._end_step(number, at)
        self._write(
            "UPDATE transactions SET result = ?, exit_code = ?, reason = ?, finished_at = ?"
            " WHERE id = ?",
            [result, int(exit_code), reason, at, number],
        )
        self._write("COMMIT")

    def history(self, limit: int) -> list[Transaction]:
        """Return the last transactions, newest first."""
        rows = self._rows("SELECT * FROM transactions ORDER BY id DESC LIMIT ?", [limit])
        return [Transaction(*row) for row in rows]

    def set_last_run(self, run: LastRun, *, success: bool) -> None:
        """Remember the last run, and that it was a success."""
        self._write("BEGIN IMMEDIATE")
        self._write("INSERT OR REPLACE INTO last_run VALUES (1, ?, ?, ?, ?, ?)", run)
        if success:
            self._write("INSERT OR REPLACE INTO last_success VALUES (1, ?)", [run.finished_at])
        self._write("COMMIT")

    def last_run(self) -> LastRun | None:
        """Return the last run."""
        rows = self._rows("SELECT result, exit_code, started_at, finished_at, reason FROM last_run")
        return LastRun(*rows[0]) if rows else None

    def last_success_at(self) -> str | None:
        """Return when a run last ended well; None for never."""
        rows = self._rows("SELECT at FROM last_success")
        return rows[0][0] if rows else None

    def set_candidate(self, commit: str, at: str) -> None:
        """Remember the newest commit upstream; the time stays while the commit stays."""
        self._write(
            "INSERT INTO candidate VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET"
            ' "commit" = excluded."commit", seen_at = excluded.seen_at'
            ' WHERE "commit" <> excluded."commit"',
            [commit, at],
        )

    def candidate(self) -> Candidate | None:
        """Return the newest commit seen upstream."""
        rows = self._rows('SELECT "commit", seen_at FROM candidate')
        return Candidate(*rows[0]) if rows else None

    def quarantine(self, commit: str, step: str, reason: str, at: str) -> None:
        """Put a commit where it is not tried again."""
        self._write(
            "INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?, ?)", [commit, step, reason, at]
        )

    def forgive(self, commit: str) -> None:
        """Let a commit be tried again at once, its dependencies included."""
        self._write("BEGIN IMMEDIATE")
        for table in ("quarantine", "attempts", "failed_environments"):
            self._write(f'DELETE FROM {table} WHERE "commit" = ?', [commit])  # noqa: S608
        self._write("COMMIT")

    def count_attempt(self, commit: str, reason: str, at: str, *, interrupted: bool) -> Attempts:
        """Count one more attempt that failed or was interrupted, not by the commit's fault."""
        self._write(
            'INSERT INTO attempts VALUES (?, ?, ?, ?, ?) ON CONFLICT ("commit") DO UPDATE SET'
            " failed = failed + excluded.failed, interrupted = interrupted + excluded.interrupted,"
            " last_at = excluded.last_at, reason = excluded.reason",
            [commit, int(not interrupted), int(interrupted), at, reason],
        )
        counted = self.attempts(commit)
        if counted is None:
            raise StateError(f"{self._path} lost what was written to it")
        return counted

    def attempts(self, commit: str) -> Attempts | None:
        """Return how often a commit could not be brought in."""
        rows = self._rows('SELECT * FROM attempts WHERE "commit" = ?', [commit])
        return Attempts(*rows[0]) if rows else None

    def all_attempts(self) -> list[Attempts]:
        """Return all commits that could not be brought in."""
        return [Attempts(*row) for row in self._rows("SELECT * FROM attempts ORDER BY rowid")]

    def add_failed_environment(self, failed: FailedEnvironment) -> None:
        """Remember a set of dependencies that cannot be installed."""
        self._write("INSERT OR REPLACE INTO failed_environments VALUES (?, ?, ?, ?)", failed)

    def failed_environment(self, environment: str) -> FailedEnvironment | None:
        """Return what is known of a set of dependencies that could not be installed."""
        rows = self._rows("SELECT * FROM failed_environments WHERE environment = ?", [environment])
        return FailedEnvironment(*rows[0]) if rows else None

    def quarantined(self) -> list[Quarantined]:
        """Return all commits in quarantine, oldest first."""
        return [Quarantined(*row) for row in self._rows("SELECT * FROM quarantine ORDER BY rowid")]


class StateError(AutoupdateError):
    """The state of an app cannot be used."""

    exit_code = Exit.FAILED


class DamagedStateError(StateError):
    """The file that holds the state is no database any more."""
