"""The state: what is stored, and that it is durable."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result, Step
from autoupdate.records.database import DamagedStateError, StateError
from autoupdate.records.records import Records
from autoupdate.records.rows import FailedEnvironment, LastRun, Release

RELEASE = Release(
    "r1", "c1", "2026-01-01T00:00:00Z", "", "", "key", "/usr/bin/python3.11 Python 3", 1000
)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Return the path of the state; its name must not be read as a part of a URI."""
    return f"{tmp_path}/state of 100%?.db"


@pytest.fixture
def records(file: str) -> Iterator[Records]:
    """Return a new state."""
    opened = Records(file)
    yield opened
    opened.close()


def test_steps_of_a_transaction(records: Records) -> None:
    number = records.begin("timer", "c1", "r0", "t0")
    records.set_target(number, "c2", "r2")
    records.set_services(number, ["a.service", "b.service"])
    for step in (Step.VERIFY, Step.BUILD, Step.REHEARSE, Step.ACTIVATE, Step.PROBATION):
        records.enter(number, step, "t")
    open_one = records.unfinished()
    assert open_one is not None
    assert (open_one.commit, open_one.release, open_one.previous) == ("c2", "r2", "r0")
    assert (open_one.step, open_one.services) == ("probation", "a.service b.service")
    records.finish(number, Result.UPDATED, Exit.DONE, "", "t1")
    assert records.unfinished() is None
    (past,) = records.history(5)
    assert (past.step, past.result, past.finished_at) == ("probation", "updated", "t1")


def test_each_step_has_a_start_and_an_end(records: Records) -> None:
    number = records.begin("timer", "c1", "", "t0")
    other = records.begin("timer", "c1", "", "t0")
    records.enter(number, Step.VERIFY, "t1")
    assert records.steps(number) == [("fetch", "t0", "t1"), ("verify", "t1", "")]
    records.finish(number, Result.FAILED, Exit.FAILED, "why", "t2")
    assert records.steps(number) == [("fetch", "t0", "t1"), ("verify", "t1", "t2")]
    assert records.steps(other) == [("fetch", "t0", "")]
    assert records.steps(records.begin("rollback", "c1", "r0", "t3", Step.ROLL_BACK)) == [
        ("roll-back", "t3", "")
    ]


def test_forgiven_in_everything_that_is_held_against_a_commit(records: Records) -> None:
    for commit in ("c1", "c2"):
        records.quarantine(commit, Step.BUILD, "broken", "t1")
        records.count_attempt(commit, "no network", "t1", interrupted=False)
        records.add_failed_environment(FailedEnvironment(f"of {commit}", commit, "no x", "t1"))
    records.forgive("c1")
    assert [item.commit for item in records.quarantined()] == ["c2"]
    assert [item.commit for item in records.all_attempts()] == ["c2"]
    assert records.failed_environment("of c1") is None
    assert records.failed_environment("of c2") == ("of c2", "c2", "no x", "t1", 1)


def test_attempts_are_counted_by_commit_and_kind(records: Records) -> None:
    assert records.attempts("c1") is None
    records.count_attempt("c1", "reboot", "t1", interrupted=True)
    records.count_attempt("c2", "no space", "t2", interrupted=False)
    counted = records.count_attempt("c1", "no network", "t3", interrupted=False)
    assert counted == records.attempts("c1") == ("c1", 1, 1, "t3", "no network")


def test_several_writes_count_together_or_not_at_all(records: Records, file: str) -> None:
    with pytest.raises(KeyError), records.atomic():
        number = records.begin("timer", "c1", "", "t0")
        records.quarantine("c1", Step.BUILD, "broken", "t1")
        raise KeyError
    assert (records.history(1), records.quarantined(), records.steps(number)) == ([], [], [])
    with records.atomic():
        records.quarantine("c1", Step.BUILD, "broken", "t1")
        records.forgive("c1")
        records.quarantine("c2", Step.BUILD, "broken", "t1")
        other = Records(file, read_only=True)
        assert other.quarantined() == [], "nothing is seen before the end"
    assert [item.commit for item in other.quarantined()] == ["c2"]
    other.close()


def test_full_disk_is_not_damage_and_leaves_the_state_usable(records: Records) -> None:
    pages = records.rows("PRAGMA page_count")[0][0]
    records.rows(f"PRAGMA max_page_count = {pages}")
    number = records.begin("timer", "c1", "", "t0")
    with pytest.raises(StateError, match="full") as caught:
        records.finish(number, Result.FAILED, Exit.FAILED, "x" * 100_000, "t1")
    assert not isinstance(caught.value, DamagedStateError)
    assert records.unfinished() is not None
    records.rows(f"PRAGMA max_page_count = {pages + 100}")
    records.finish(number, Result.FAILED, Exit.FAILED, "why", "t1")
    assert records.unfinished() is None


def test_wrong_query_is_not_damage(records: Records) -> None:
    records.add_release(RELEASE)
    with pytest.raises(StateError) as caught:
        records.add_release(RELEASE)
    assert not isinstance(caught.value, DamagedStateError)


def test_illegal_transition_is_refused(records: Records) -> None:
    number = records.begin("manual", "c1", "", "t0")
    with pytest.raises(AssertionError, match="cannot go from fetch to activate"):
        records.enter(number, Step.ACTIVATE, "t")
    assert records.transaction(number).step == Step.FETCH


def test_history_is_newest_first_and_limited(records: Records) -> None:
    numbers = [records.begin("timer", f"c{index}", "", "t") for index in range(5)]
    assert [entry.id for entry in records.history(3)] == numbers[:-4:-1]


def test_releases_in_the_order_of_their_creation(records: Records) -> None:
    for name in ("b", "a", "c"):
        records.add_release(RELEASE._replace(id=name))
    records.set_activated("a", "t5")
    records.forget_release("b")
    assert [release.id for release in records.releases()] == ["a", "c"]
    found = records.release("a")
    assert found is not None
    assert found.activated_at == "t5"
    assert records.release("b") is None


def test_last_success_outlives_a_failure(records: Records) -> None:
    assert (records.last_run(), records.last_success_at()) == (None, None)
    records.set_last_run(LastRun("updated", 0, "t0", "t1", ""), success=True)
    records.set_last_run(LastRun("failed", 1, "t2", "t3", "why"), success=False)
    assert records.last_run() == LastRun("failed", 1, "t2", "t3", "why")
    assert records.last_success_at() == "t1"


def test_candidate_keeps_the_time_it_was_first_seen(records: Records) -> None:
    records.set_candidate("c1", "t1")
    records.set_candidate("c1", "t2")
    assert records.candidate() == ("c1", "t1")
    records.set_candidate("c2", "t3")
    assert records.candidate() == ("c2", "t3")


def test_quarantine(records: Records) -> None:
    records.quarantine("c1", Step.BUILD, "no such requirement", "t1")
    records.quarantine("c2", Step.PROBATION, "crashed", "t2")
    records.quarantine("c1", Step.BUILD, "still not", "t3")
    assert [(item.commit, item.reason) for item in records.quarantined()] == [
        ("c1", "still not"), ("c2", "crashed"),
    ]  # fmt: skip
    assert records.quarantined()[0][3:] == ("t1", 2, "t3"), "since when, how often, when last"
    records.quarantine("c1", Step.REHEARSE, "a command fails", "t4")
    assert records.quarantined()[0][3:] == ("t4", 1, "t4"), "another failure counts for itself"
    records.forgive("c1")
    records.forgive("unknown")
    assert [item.commit for item in records.quarantined()] == ["c2"]


def test_what_was_written_is_there_for_the_next_process(records: Records, file: str) -> None:
    """Without close or commit: each write is durable when its method returns."""
    number = records.begin("timer", "c1", "", "t0")
    other = Records(file, read_only=True)
    assert other.transaction(number).commit == "c1"
    other.close()


def test_writes_are_durable_by_sqlites_strictest_setting(records: Records) -> None:
    extra = 3
    assert records.rows("PRAGMA synchronous") == [(extra,)]


def test_a_reader_cannot_write_and_creates_nothing(records: Records, file: str) -> None:
    reader = Records(file, read_only=True)
    with pytest.raises(StateError, match="readonly"):
        reader.set_candidate("c1", "t1")
    reader.close()
    with pytest.raises(StateError):
        Records(f"{file}-missing", read_only=True)
    assert not Path(f"{file}-missing").exists()


@pytest.mark.parametrize("read_only", [False, True])
def test_state_of_a_newer_version_is_left_alone(file: str, read_only: bool) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = Path(file).read_bytes()
    with pytest.raises(StateError, match="newer version") as caught:
        Records(file, read_only=read_only)
    assert caught.value.exit_code == Exit.FAILED
    assert Path(file).read_bytes() == before


def test_file_that_is_not_a_state(file: str) -> None:
    content = b"this is no database, and longer than its header" * 9
    Path(file).write_bytes(content)
    with pytest.raises(DamagedStateError, match="cannot be opened: file is not a database"):
        Records(file)
    assert Path(file).read_bytes() == content


def test_read_when_a_killed_run_left_an_incomplete_commit(
    records: Records, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a writer can roll it back; a reader sees the state before it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    number = records.begin("timer", "c1", "r0", "t0")
    connection = sqlite3.connect(file, isolation_level=None)
    # The cache is too small for the changes, so some are in the file before the commit.
    connection.execute("PRAGMA cache_size = 2")
    connection.execute("BEGIN IMMEDIATE")
    for _ in range(3000):
        connection.execute("INSERT INTO steps VALUES (1, 'left', 'half', 'done')")
    for suffix in ("", "-journal"):
        shutil.copyfile(f"{file}{suffix}", f"{file}.dead{suffix}")
    connection.close()
    dead = Path(f"{file}.dead").read_bytes()

    reader = Records(f"{file}.dead", read_only=True)

    assert [step.step for step in reader.steps(number)] == ["fetch"]
    reader.close()
    assert Path(f"{file}.dead").read_bytes() == dead
    assert Path(f"{file}.dead-journal").exists()


def test_success_of_the_fast_path_outlives_a_failure(records: Records, tmp_path: Path) -> None:
    run = LastRun("current", 0, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "up to date")
    records.set_last_run(run, success=True)
    look = "2026-01-09T00:00:00Z\n2026-01-09T00:00:01Z\nup to date\n"
    (Path(records._path).parent / "last-look").write_text(look)
    for day in (10, 11):
        at = f"2026-01-{day}T00:00:00Z"
        records.set_last_run(LastRun("unreachable", 69, at, at, "no answer"), success=False)
        assert records.last_success_at() == "2026-01-09T00:00:01Z"
