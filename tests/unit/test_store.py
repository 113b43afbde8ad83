"""What is remembered, and that it is."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.errors import Exit
from autoupdate.state import Result, Step
from autoupdate.store import LastRun, Release, StateError, Store

RELEASE = Release("r1", "c1", "2026-01-01T00:00:00Z", "", "", "key", "/usr/bin/python3.11 Python 3")


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Return where the state lies; the odd name must not be taken for a part of a URI."""
    return f"{tmp_path}/state of 100%?.db"


@pytest.fixture
def store(file: str) -> Iterator[Store]:
    """Return a new store."""
    opened = Store(file)
    yield opened
    opened.close()


def test_the_way_of_a_transaction(store: Store) -> None:
    number = store.begin("timer", "c1", "r0", "t0")
    store.set_target(number, "c2", "r2")
    store.set_services(number, ["a.service", "b.service"])
    for step in (Step.BUILD, Step.ACTIVATE, Step.PROBATION):
        store.enter(number, step)
    open_one = store.unfinished()
    assert open_one is not None
    assert (open_one.commit, open_one.release, open_one.previous) == ("c2", "r2", "r0")
    assert (open_one.step, open_one.services) == ("probation", "a.service b.service")
    store.finish(number, Result.UPDATED, Exit.DONE, "", "t1")
    assert store.unfinished() is None
    (past,) = store.history(5)
    assert (past.step, past.result, past.finished_at) == ("probation", "updated", "t1")


def test_illegal_transition_is_refused(store: Store) -> None:
    number = store.begin("manual", "c1", "", "t0")
    with pytest.raises(AssertionError, match="cannot go from fetch to activate"):
        store.enter(number, Step.ACTIVATE)
    assert store.transaction(number).step == Step.FETCH


def test_history_is_newest_first_and_limited(store: Store) -> None:
    numbers = [store.begin("timer", f"c{index}", "", "t") for index in range(5)]
    assert [entry.id for entry in store.history(3)] == numbers[:-4:-1]


def test_releases_in_the_order_they_came(store: Store) -> None:
    for name in ("b", "a", "c"):
        store.add_release(RELEASE._replace(id=name))
    store.set_activated("a", "t5")
    store.forget_release("b")
    assert [release.id for release in store.releases()] == ["a", "c"]
    found = store.release("a")
    assert found is not None
    assert found.activated_at == "t5"
    assert store.release("b") is None


def test_last_success_outlives_a_failure(store: Store) -> None:
    assert (store.last_run(), store.last_success_at()) == (None, None)
    store.set_last_run(LastRun("updated", 0, "t0", "t1", ""), success=True)
    store.set_last_run(LastRun("failed", 1, "t2", "t3", "why"), success=False)
    assert store.last_run() == LastRun("failed", 1, "t2", "t3", "why")
    assert store.last_success_at() == "t1"


def test_candidate_keeps_the_time_it_was_first_seen(store: Store) -> None:
    store.set_candidate("c1", "t1")
    store.set_candidate("c1", "t2")
    assert store.candidate() == ("c1", "t1")
    store.set_candidate("c2", "t3")
    assert store.candidate() == ("c2", "t3")


def test_quarantine(store: Store) -> None:
    store.quarantine("c1", Step.BUILD, "no such requirement", "t1")
    store.quarantine("c2", Step.PROBATION, "crashed", "t2")
    store.quarantine("c1", Step.BUILD, "still not", "t3")
    assert [(item.commit, item.reason) for item in store.quarantined()] == [
        ("c2", "crashed"), ("c1", "still not"),
    ]  # fmt: skip
    store.release_from_quarantine("c1")
    store.release_from_quarantine("unknown")
    assert [item.commit for item in store.quarantined()] == ["c2"]


def test_what_was_written_is_there_for_the_next_process(store: Store, file: str) -> None:
    """Without close or commit: each write counts when its method has returned."""
    number = store.begin("timer", "c1", "", "t0")
    other = Store(file, read_only=True)
    assert other.transaction(number).commit == "c1"
    other.close()


def test_writes_are_durable_by_sqlites_strictest_setting(store: Store) -> None:
    extra = 3
    assert store._rows("PRAGMA synchronous") == [(extra,)]


def test_a_reader_cannot_write_and_creates_nothing(store: Store, file: str) -> None:
    reader = Store(file, read_only=True)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.set_candidate("c1", "t1")
    reader.close()
    with pytest.raises(StateError):
        Store(f"{file}-missing", read_only=True)
    assert not Path(f"{file}-missing").exists()


@pytest.mark.parametrize("read_only", [False, True])
def test_state_of_a_newer_version_is_left_alone(file: str, read_only: bool) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = Path(file).read_bytes()
    with pytest.raises(StateError, match="newer version") as caught:
        Store(file, read_only=read_only)
    assert caught.value.exit_code == Exit.FAILED
    assert Path(file).read_bytes() == before


@pytest.mark.parametrize("content", [b"this is no database, and longer than its header" * 9])
def test_file_that_is_no_state(file: str, content: bytes) -> None:
    Path(file).write_bytes(content)
    with pytest.raises(StateError, match="cannot be used"):
        Store(file)
    assert Path(file).read_bytes() == content
