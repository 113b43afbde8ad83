"""Fixtures of all unit tests: the guard, a captured journal, and an app with fake effects."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from systemd import _journal

from tests.unit.guard import GUARD, HostAccessError
from tests.unit.world import World


class Journal:
    """The entries that would have gone to the journal."""

    def __init__(self) -> None:
        self.entries: list[dict[str, str]] = []

    def sendv(self, *fields: bytes) -> None:
        """Take one entry."""
        self.entries.append(dict(field.decode().split("=", 1) for field in fields))


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Return a directory in memory if the host has one, because these tests write much."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="autoupdate-test-") as directory:
        yield Path(directory)


@pytest.fixture(autouse=True)
def _no_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that starts a process, opens a connection, or writes outside its directory."""

    def refuse(*fields: bytes) -> None:
        GUARD.violations.append(f"journal entry {fields!r}")
        raise HostAccessError("a unit test must not write to the journal")

    monkeypatch.setattr(_journal, "sendv", refuse)
    # A service manager may have set these for the caller; they are not meant for a test.
    for variable in ("NOTIFY_SOCKET", "JOURNAL_STREAM", "TRIGGER_UNIT"):
        monkeypatch.delenv(variable, raising=False)
    GUARD.violations.clear()
    GUARD.home = tmp_path
    yield
    GUARD.home = None
    GUARD.before_change = None
    assert not GUARD.violations, "this test touched the host"


@pytest.fixture
def journal(_no_host: None, monkeypatch: pytest.MonkeyPatch) -> Journal:
    """Capture the entries for the journal."""
    taken = Journal()
    monkeypatch.setattr(_journal, "sendv", taken.sendv)
    return taken


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return an app with fake effects and three running services."""
    made = World(tmp_path)
    yield made
    made.close()
