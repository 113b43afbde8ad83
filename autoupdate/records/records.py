"""The durable state: releases, transactions, the last run, quarantine, in one SQLite file.

Only root may open it; other users read a copy (public.py). Each write is durable
when its method returns.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from autoupdate.model.steps import Result, Step, may_follow
from autoupdate.records import database, public
from autoupdate.records.database import StateError
from autoupdate.records.rows import (
    Attempts,
    Candidate,
    FailedEnvironment,
    LastRun,
    Quarantined,
    Release,
    StepTaken,
    Transaction,
)


class Records:
    """The state of one app."""

    def __init__(self, path: str, *, read_only: bool = False) -> None:
        self._path = path
        self._last_look = f"{os.path.dirname(path)}/last-look"
        self._is_public = not read_only
        if read_only and public.is_for_me(path):
            self._connection = public.connect(path)
        else:
            self._connection = database.connect(path, read_only=read_only)
        self._publish()
        self.entered: Callable[[Step], None] = lambda _: None
        """Called when a transaction has started a step."""

    def in_memory(self) -> "Records":
        """Return a copy in memory, to find out what would be written."""
        copied = Records.__new__(Records)
        copied._path = self._path
        copied._last_look = self._last_look
        copied._is_public = False
        copied._connection = database.copy(self._connection)
        copied.entered = lambda _: None
        return copied

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run a query, for the modules with their own tables. Raises StateError."""
        try:
            return self._connection.execute(query, values).fetchall()
        except database.ERRORS as error:
            raise database.fault(self._path, "read", error) from None

    def write(self, query: str, values: Sequence[Any] = ()) -> int:
        """Execute a change, durably; return the id of the new row. Raises StateError."""
        number = self._execute(query, values)
        self._publish()
        return number

    def _execute(self, query: str, values: Sequence[Any] = ()) -> int:
        try:
            return self._connection.execute(query, values).lastrowid or 0
        except database.ERRORS as error:
            raise database.fault(self._path, "written", error) from None

    def _publish(self) -> None:
        """Write the copy for other users, unless several writes are still incomplete."""
        if not self._is_public or self._connection.in_transaction:
            return
        # No other writer may change the state while it is copied.
        self._execute("BEGIN IMMEDIATE")
        try:
            public.write(self._connection, self._path)
        except database.ERRORS as error:
            raise database.fault(self._path, "read", error) from None
        finally:
            self._execute("ROLLBACK")

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Make several writes one SQLite transaction; a nested call belongs to the outer one."""
        if self._connection.in_transaction:
            yield
            return
        self.write("BEGIN IMMEDIATE")
        try:
            yield
            self.write("COMMIT")
        finally:
            # After some errors SQLite has already rolled back.
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")

    def releases(self) -> list[Release]:
        """Return all known releases, oldest first."""
        return [Release(*row) for row in self.rows("SELECT * FROM releases ORDER BY rowid")]

    def release(self, release: str) -> Release | None:
        """Return one release."""
        rows = self.rows("SELECT * FROM releases WHERE id = ?", [release])
        return Release(*rows[0]) if rows else None

    def add_release(self, release: Release) -> None:
        """Record a release that was built completely."""
        self.write("INSERT INTO releases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", release)

    def set_activated(self, release: str, at: str) -> None:
        """Record when a release was activated."""
        self.write("UPDATE releases SET activated_at = ? WHERE id = ?", [at, release])

    def forget_release(self, release: str) -> None:
        """Delete the record of a release whose directory is gone."""
        self.write("DELETE FROM releases WHERE id = ?", [release])

    def begin(
        self, trigger: str, commit: str, previous: str, at: str, step: Step = Step.FETCH
    ) -> int:
        """Open a transaction in its first step; return its number."""
        with self.atomic():
            number = self.write(
                'INSERT INTO transactions ("trigger", "commit", previous, step, started_at)'
                " VALUES (?, ?, ?, ?, ?)",
                [trigger, commit, previous, step, at],
            )
            self.write("INSERT INTO steps VALUES (?, ?, ?, '')", [number, step, at])
        self.entered(step)
        return number

    def add_transaction(self, transaction: Transaction) -> None:
        """Add a transaction from the second copy of the state."""
        with self.atomic():
            self.write(
                "INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", transaction
            )
            step = [transaction.id, transaction.step, transaction.started_at]
            self.write("INSERT INTO steps VALUES (?, ?, ?, '')", step)

    def transaction(self, number: int) -> Transaction:
        """Return one transaction."""
        return Transaction(*self.rows("SELECT * FROM transactions WHERE id = ?", [number])[0])

    def unfinished(self) -> Transaction | None:
        """Return the transaction that is under way, or was when its run died."""
        rows = self.rows("SELECT * FROM transactions WHERE finished_at = '' ORDER BY id DESC")
        return Transaction(*rows[0]) if rows else None

    def set_target(self, number: int, commit: str, release: str) -> None:
        """Record which commit is being built into which release directory."""
        self.write(
            'UPDATE transactions SET "commit" = ?, "release" = ? WHERE id = ?',
            [commit, release, number],
        )

    def set_services(self, number: int, services: Sequence[str]) -> None:
        """Record the services that the transaction restarts, or that wait for it."""
        self.write(
            "UPDATE transactions SET services = ? WHERE id = ?", [" ".join(services), number]
        )

    def enter(self, number: int, step: Step, at: str) -> None:
        """Record that a transaction has ended one step and begins the next."""
        present = Step(self.transaction(number).step)
        if not may_follow(present, step):
            raise AssertionError(f"transaction {number} cannot go from {present} to {step}")
        with self.atomic():
            self._end_step(number, at)
            self.write("INSERT INTO steps VALUES (?, ?, ?, '')", [number, step, at])
            self.write("UPDATE transactions SET step = ? WHERE id = ?", [step, number])
        self.entered(step)

    def _end_step(self, number: int, at: str) -> None:
        query = "UPDATE steps SET ended_at = ? WHERE \"transaction\" = ? AND ended_at = ''"
        self.write(query, [at, number])

    def steps(self, number: int) -> list[StepTaken]:
        """Return the steps of a transaction in their order."""
        query = 'SELECT step, began_at, ended_at FROM steps WHERE "transaction" = ? ORDER BY rowid'
        return [StepTaken(*row) for row in self.rows(query, [number])]

    def finish(self, number: int, result: Result, exit_code: int, reason: str, at: str) -> None:
        """Record how a transaction ended; its step is kept, to show how far it got."""
        with self.atomic():
            self._end_step(number, at)
            self.write(
                "UPDATE transactions SET result = ?, exit_code = ?, reason = ?, finished_at = ?"
                " WHERE id = ?",
                [result, int(exit_code), reason, at, number],
            )

    def history(self, limit: int, before: int = 1 << 62) -> list[Transaction]:
        """Return the last transactions before a number, newest first."""
        query = "SELECT * FROM transactions WHERE id < ? ORDER BY id DESC LIMIT ?"
        return [Transaction(*row) for row in self.rows(query, [before, limit])]

    def set_last_run(self, run: LastRun, *, success: bool) -> None:
        """Record the last run, and whether it was a success."""
        # Since the last run, the fast path may have recorded a success.
        last_success = run.finished_at if success else self.last_success_at()
        with suppress(FileNotFoundError):
            os.unlink(self._last_look)
        with self.atomic():
            self.write("INSERT OR REPLACE INTO last_run VALUES (1, ?, ?, ?, ?, ?)", run)
            if last_success:
                self.write("INSERT OR REPLACE INTO last_success VALUES (1, ?)", [last_success])

    def last_run(self) -> LastRun | None:
        """Return the last run."""
        look = self._look()
        if look:
            return look
        rows = self.rows("SELECT result, exit_code, started_at, finished_at, reason FROM last_run")
        return LastRun(*rows[0]) if rows else None

    def last_success_at(self) -> str | None:
        """Return when a run last succeeded; None for never."""
        look = self._look()
        if look:
            return look.finished_at
        rows = self.rows("SELECT at FROM last_success")
        return rows[0][0] if rows else None

    def _look(self) -> LastRun | None:
        """Return the last run of service_start/fast_path.py, which found nothing new."""
        try:
            with open(self._last_look, encoding="utf-8") as file:
                started, finished, reason = file.read().splitlines()
        except (OSError, ValueError):
            return None
        return LastRun(Result.CURRENT, 0, started, finished, reason)

    def set_candidate(self, commit: str, at: str) -> None:
        """Record the newest commit upstream; for the same commit, the first time is kept."""
        self.write(
            "INSERT INTO candidate VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET"
            ' "commit" = excluded."commit", seen_at = excluded.seen_at'
            ' WHERE "commit" <> excluded."commit"',
            [commit, at],
        )

    def candidate(self) -> Candidate | None:
        """Return the newest commit seen upstream."""
        rows = self.rows('SELECT "commit", seen_at FROM candidate')
        return Candidate(*rows[0]) if rows else None

    def quarantine(self, commit: str, step: str, reason: str, at: str) -> None:
        """Put a commit into quarantine; if it failed in this step before, count that."""
        self.restore_quarantined(Quarantined(commit, step, reason, at, last_at=at))

    def restore_quarantined(self, item: Quarantined) -> None:
        """Put a commit into quarantine as it was, or count one more failure in the same step."""
        self.write(
            'INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT ("commit") DO UPDATE SET'
            " since = iif(step = excluded.step, since, excluded.since),"
            " tries = iif(step = excluded.step, tries, 0) + excluded.tries,"
            " step = excluded.step, reason = excluded.reason, last_at = excluded.last_at",
            item,
        )

    def take_out_of_quarantine(self, commit: str) -> None:
        """Remove a commit from quarantine; its attempts are still counted."""
        self.write('DELETE FROM quarantine WHERE "commit" = ?', [commit])

    def forgive(self, commit: str) -> None:
        """Let a commit be tried again at once, its dependencies included."""
        with self.atomic():
            for table in ("quarantine", "attempts", "failed_environments"):
                self.write(f'DELETE FROM {table} WHERE "commit" = ?', [commit])  # noqa: S608

    def count_attempt(self, commit: str, reason: str, at: str, *, interrupted: bool) -> Attempts:
        """Count an attempt that failed or was interrupted, but not because of the commit."""
        self.write(
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
        """Return how often a commit could not be deployed."""
        rows = self.rows('SELECT * FROM attempts WHERE "commit" = ?', [commit])
        return Attempts(*rows[0]) if rows else None

    def all_attempts(self) -> list[Attempts]:
        """Return all commits that could not be deployed."""
        return [Attempts(*row) for row in self.rows("SELECT * FROM attempts ORDER BY rowid")]

    def add_failed_environment(self, failed: FailedEnvironment) -> None:
        """Record a set of dependencies that cannot be installed, or count one more try."""
        self.write(
            "INSERT INTO failed_environments VALUES (?, ?, ?, ?, ?) ON CONFLICT (environment)"
            ' DO UPDATE SET "commit" = excluded."commit", reason = excluded.reason,'
            " since = excluded.since, tries = tries + excluded.tries",
            failed,
        )

    def failed_environment(self, environment: str) -> FailedEnvironment | None:
        """Return what is known of a set of dependencies that could not be installed."""
        rows = self.rows("SELECT * FROM failed_environments WHERE environment = ?", [environment])
        return FailedEnvironment(*rows[0]) if rows else None

    def quarantined(self) -> list[Quarantined]:
        """Return all commits in quarantine, oldest first."""
        return [Quarantined(*row) for row in self.rows("SELECT * FROM quarantine ORDER BY rowid")]
