"""The stored values: a class for the rows of each table. Times are RFC 3339 in UTC."""

from typing import NamedTuple


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
    settings: str = ""
    """The settings that it was made with, in JSON (config/applied.py); empty: not recorded."""


class Attempts(NamedTuple):
    """How often a commit could not be deployed, for reasons other than the commit."""

    commit: str
    failed: int
    interrupted: int
    last_at: str
    reason: str


class FailedEnvironment(NamedTuple):
    """A set of dependencies that cannot be installed: since the last of so many tries."""

    environment: str
    commit: str
    reason: str
    since: str
    tries: int = 1


class StepTaken(NamedTuple):
    """One step of a transaction, for the history."""

    step: str
    began_at: str
    ended_at: str


class Transaction(NamedTuple):
    """One attempt to deploy a commit; `services` are those it restarted or that wait for it."""

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


# The reason for a commit that an administrator left by `rollback`.
BY_HAND = "rolled back by hand"


class Quarantined(NamedTuple):
    """A commit that failed here, in which step, and why; how often, and when last (if later)."""

    commit: str
    step: str
    reason: str
    since: str
    tries: int = 1
    last_at: str = ""

    @property
    def why(self) -> str:
        """What happened to the commit, for sentences."""
        by_hand = self.reason == BY_HAND
        return f"it was {BY_HAND}" if by_hand else f"{self.step} failed: {self.reason}"


class LastRun(NamedTuple):
    """The last run, even if it had nothing to do."""

    result: str
    exit_code: int
    started_at: str
    finished_at: str
    reason: str


class Candidate(NamedTuple):
    """The newest commit seen upstream, and when it was first seen here."""

    commit: str
    seen_at: str
