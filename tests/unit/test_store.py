"""What is remembered, and that it is."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result, Step
from autoupdate.records.database import DamagedStateError, StateError
from autoupdate.records.records import FailedEnvironment, LastRun, Release, Store

RELEASE = Release(
    "r1", "c1", "2026-01-01T00:00:00Z", "", "", "key", "/usr/bin/python3.11 Python 3", 1000
)


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
    for step in (Step.VERIFY, Step.BUILD, Step.REHEARSE, Step.ACTIVATE, Step.PROBATION):
        store.enter(number, step, "t")
    open_one = store.unfinished()
    assert open_one is not None
    assert (open_one.commit, open_one.release, open_one.previous) == ("c2", "r2", "r0")
    assert (open_one.step, open_one.services) == ("probation", "a.service b.service")
    store.finish(number, Result.UPDATED, Exit.DONE, "", "t1")
    assert store.unfinished() is None
    (past,) = store.history(5)
    assert (past.step, past.result, past.finished_at) == ("probation", "updated", "t1")


def test_each_step_has_its_begin_and_its_end(store: Store) -> None:
    number = store.begin("timer", "c1", "", "t0")
    other = store.begin("timer", "c1", "", "t0")
    store.enter(number, Step.VERIFY, "t1")
    assert store.steps(number) == [("fetch", "t0", "t1"), ("verify", "t1", "")]
    store.finish(number, Result.FAILED, Exit.FAILED, "why", "t2")
    assert store.steps(number) == [("fetch", "t0", "t1"), ("verify", "t1", "t2")]
    assert store.steps(other) == [("fetch", "t0", "")]
    assert store.steps(store.begin("rollback", "c1", "r0", "t3", Step.ROLL_BACK)) == [
        ("roll-back", "t3", "")
    ]


def test_forgiven_in_everything_that_is_held_against_a_commit(store: Store) -> None:
    for commit in ("c1", "c2"):
        store.quarantine(commit, Step.BUILD, "broken", "t1")
        store.count_attempt(commit, "no network", "t1", interrupted=False)
        store.add_failed_environment(FailedEnvironment(f"of {commit}", commit, "no x", "t1"))
    store.forgive("c1")
    assert [item.commit for item in store.quarantined()] == ["c2"]
    assert [item.commit for item in store.all_attempts()] == ["c2"]
    assert store.failed_environment("of c1") is None
    assert store.failed_environment("of c2") == ("of c2", "c2", "no x", "t1")


def test_attempts_are_counted_by_commit_and_kind(store: Store) -> None:
    assert store.attempts("c1") is None
    store.count_attempt("c1", "reboot", "t1", interrupted=True)
    store.count_attempt("c2", "no space", "t2", interrupted=False)
    counted = store.count_attempt("c1", "no network", "t3", interrupted=False)
    assert counted == store.attempts("c1") == ("c1", 1, 1, "t3", "no network")


def test_several_writes_count_together_or_not_at_all(store: Store, file: str) -> None:
    with pytest.raises(KeyError), store.atomic():
        number = store.begin("timer", "c1", "", "t0")
        store.quarantine("c1", Step.BUILD, "broken", "t1")
        raise KeyError
    assert (store.history(1), store.quarantined(), store.steps(number)) == ([], [], [])
    with store.atomic():
        store.quarantine("c1", Step.BUILD, "broken", "t1")
        store.forgive("c1")
        store.quarantine("c2", Step.BUILD, "broken", "t1")
        other = Store(file, read_only=True)
        assert other.quarantined() == [], "nothing is seen before the end"
    assert [item.commit for item in other.quarantined()] == ["c2"]
    other.close()


def test_full_disk_is_no_damage_and_leaves_the_store_usable(store: Store) -> None:
    pages = store.rows("PRAGMA page_count")[0][0]
    store.rows(f"PRAGMA max_page_count = {pages}")
    number = store.begin("timer", "c1", "", "t0")
    with pytest.raises(StateError, match="full") as caught:
        store.finish(number, Result.FAILED, Exit.FAILED, "x" * 100_000, "t1")
    assert not isinstance(caught.value, DamagedStateError)
    assert store.unfinished() is not None
    store.rows(f"PRAGMA max_page_count = {pages + 100}")
    store.finish(number, Result.FAILED, Exit.FAILED, "why", "t1")
    assert store.unfinished() is None


def test_mistake_of_ours_is_no_damage(store: Store) -> None:
    store.add_release(RELEASE)
    with pytest.raises(StateError) as caught:
        store.add_release(RELEASE)
    assert not isinstance(caught.value, DamagedStateError)


def test_illegal_transition_is_refused(store: Store) -> None:
    number = store.begin("manual", "c1", "", "t0")
    with pytest.raises(AssertionError, match="cannot go from fetch to activate"):
        store.enter(number, Step.ACTIVATE, "t")
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
    store.forgive("c1")
    store.forgive("unknown")
    assert [item.commit for item in store.quarantined()] == ["c2"]


def test_what_was_written_is_there_for_the_next_process(store: Store, file: str) -> None:
    """Without close or commit: each write counts when its method has returned."""
    number = store.begin("timer", "c1", "", "t0")
    other = Store(file, read_only=True)
    assert other.transaction(number).commit == "c1"
    other.close()


def test_writes_are_durable_by_sqlites_strictest_setting(store: Store) -> None:
    extra = 3
    assert store.rows("PRAGMA synchronous") == [(extra,)]


def test_a_reader_cannot_write_and_creates_nothing(store: Store, file: str) -> None:
    reader = Store(file, read_only=True)
    with pytest.raises(StateError, match="readonly"):
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


def test_file_that_is_no_state(file: str) -> None:
    content = b"this is no database, and longer than its header" * 9
    Path(file).write_bytes(content)
    with pytest.raises(DamagedStateError, match="cannot be opened: file is not a database"):
        Store(file)
    assert Path(file).read_bytes() == content


def test_read_while_a_dead_run_has_left_a_commit_half_done(
    store: Store, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a writer may roll back what it left; a reader sees how things were before it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    number = store.begin("timer", "c1", "r0", "t0")
    connection = sqlite3.connect(file, isolation_level=None)
    # Too small for the changes: some are in the file before the commit.
    connection.execute("PRAGMA cache_size = 2")
    connection.execute("BEGIN IMMEDIATE")
    for _ in range(3000):
        connection.execute("INSERT INTO steps VALUES (1, 'left', 'half', 'done')")
    for suffix in ("", "-journal"):
        shutil.copyfile(f"{file}{suffix}", f"{file}.dead{suffix}")
    connection.close()
    dead = Path(f"{file}.dead").read_bytes()

    reader = Store(f"{file}.dead", read_only=True)

    assert [step.step for step in reader.steps(number)] == ["fetch"]
    reader.close()
    assert Path(f"{file}.dead").read_bytes() == dead
    assert Path(f"{file}.dead-journal").exists()


def test_success_of_a_look_alone_outlives_a_failure(store: Store, tmp_path: Path) -> None:
    run = LastRun("current", 0, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "up to date")
    store.set_last_run(run, success=True)
    look = "2026-01-09T00:00:00Z\n2026-01-09T00:00:01Z\nup to date\n"
    (Path(store._path).parent / "last-look").write_text(look)
    for day in (10, 11):
        at = f"2026-01-{day}T00:00:00Z"
        store.set_last_run(LastRun("unreachable", 69, at, at, "no answer"), success=False)
        assert store.last_success_at() == "2026-01-09T00:00:01Z"
