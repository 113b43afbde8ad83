"""The copy of the state for other users: it has what they need, and it is never out of date."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.model.paths import AppPaths
from autoupdate.model.steps import Result, Step
from autoupdate.records import database, network_trouble, public
from autoupdate.records.database import StateError
from autoupdate.records.hold import Hold, lift, put
from autoupdate.records.records import Records
from autoupdate.records.rows import LastRun
from autoupdate.reports.history import history
from autoupdate.reports.status import status
from tests.unit.world import World

RUN = LastRun("current", 0, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "up to date")


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Return the path of the state."""
    return f"{tmp_path}/state.db"


@pytest.fixture
def records(file: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    """Return a new state; readers are not root."""
    opened = Records(file)
    monkeypatch.setattr(public, "is_for_me", os.path.exists)
    yield opened
    opened.close()


def mode(file: str | Path) -> int:
    """Return the mode of a file."""
    return stat.S_IMODE(os.stat(file).st_mode)


def test_nobody_else_may_open_the_state_and_so_lock_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        records = Records(f"{tmp_path}/state.db")
        with records.atomic():
            records.set_candidate("c1", "t1")
            files = {path.name: mode(path) for path in tmp_path.iterdir()}
        records.close()
    finally:
        os.umask(before)
    assert files == {"state.db": 0o600, "state.db-journal": 0o600, "public.json": 0o644}


def test_state_that_everybody_could_open_is_closed(file: str) -> None:
    Records(file).close()
    os.chmod(file, 0o644)
    Records(file).close()
    assert mode(file) == 0o600


def test_others_see_trouble_with_a_server(records: Records, file: str) -> None:
    network_trouble.note(records, "pypi.example", "it did not answer", "t1")
    network_trouble.note(records, "pypi.example", "it refused the connection", "t2")
    known = ("pypi.example", "t1", "it refused the connection")
    assert network_trouble.find(Records(file, read_only=True)) == known
    network_trouble.end(records, "git.example")
    assert network_trouble.find(records) == known
    network_trouble.end(records, "pypi.example")
    assert network_trouble.find(Records(file, read_only=True)) is None


def test_others_see_each_step_when_it_begins(records: Records, file: str) -> None:
    number = records.begin("timer", "c1", "r0", "t0")
    seen = []
    for step in (Step.VERIFY, Step.BUILD, Step.REHEARSE, Step.ACTIVATE, Step.PROBATION):
        records.enter(number, step, "t")
        reader = Records(file, read_only=True)
        unfinished = reader.unfinished()
        assert unfinished
        seen.append(unfinished.step)
    assert seen == ["verify", "build", "rehearse", "activate", "probation"]
    records.finish(number, Result.UPDATED, 0, "", "t")
    assert Records(file, read_only=True).unfinished() is None


def test_others_see_what_was_written_by_another_process(records: Records, file: str) -> None:
    """Such as `hold` while a run is under way, and that run afterwards."""
    other = Records(file)
    put(other, Hold("t1", "", "a reason"))
    assert Records(file, read_only=True).rows("SELECT reason FROM hold") == [("a reason",)]
    other.close()
    records.set_last_run(RUN, success=True)
    lift(records)
    reader = Records(file, read_only=True)
    assert (reader.rows("SELECT * FROM hold"), reader.last_run()) == ([], RUN)


def test_others_do_not_see_an_incomplete_transaction(records: Records, file: str) -> None:
    with records.atomic():
        records.quarantine("c1", "build", "no", "t1")
        assert Records(file, read_only=True).quarantined() == []
    assert len(Records(file, read_only=True).quarantined()) == 1


def test_the_next_process_writes_the_copy_that_a_killed_one_did_not(
    records: Records, file: str
) -> None:
    records._is_public = False
    records.quarantine("c1", "build", "no", "t1")
    Records(file).close()
    assert len(Records(file, read_only=True).quarantined()) == 1


def test_history_of_others_ends_after_a_hundred(records: Records, tmp_path: Path) -> None:
    with records.atomic():
        for number in range(1, 301):
            records.begin("timer", f"c{number}", "r0", f"t{number}")
            result = Result.UPDATED if number == 50 else Result.ROLLED_BACK
            # The first is still open, like that of a run that died.
            if number > 1:
                records.finish(number, result, 0, "", "t")
    shown = history(AppPaths(str(tmp_path), str(tmp_path)), 1000)
    assert [entry["id"] for entry in shown] == [*range(300, 200, -1), 50, 1]


def test_copy_that_cannot_be_written_is_not_a_failure_and_is_removed(
    records: Records, file: str
) -> None:
    os.mkdir(f"{public.file_beside(file)}.new")
    records.quarantine("c1", "build", "no", "t1")
    with pytest.raises(StateError, match="No such file") as caught:
        Records(file, read_only=True)
    assert "sudo" in caught.value.advice
    os.rmdir(f"{public.file_beside(file)}.new")
    records.quarantine("c2", "build", "no", "t1")
    assert len(Records(file, read_only=True).quarantined()) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff", b"[]", b"{}", b"[" * 100_000, b'{"schema": 2, "tables": []}',
        b'{"schema": 2, "tables": {"pin": [[1]]}}', b'{"schema": "x", "tables": {}}',
        b'{"schema": 2, "tables": {"pin": [[1, {}, 3]]}}', b'{"schema": -7, "tables": {"pin": 5}}',
    ],
)  # fmt: skip
def test_damaged_copy(records: Records, file: str, content: bytes) -> None:
    Path(public.file_beside(file)).write_bytes(content)
    with pytest.raises(StateError, match=r"copy of the state .* cannot be read: it is damaged"):
        Records(file, read_only=True)


def test_copy_of_another_version(records: Records, file: str) -> None:
    records.set_candidate("c1", "t1")
    copy = Path(public.file_beside(file))
    content = json.loads(copy.read_text())
    old = {"schema": 1, "tables": {"candidate": content["tables"]["candidate"]}}
    copy.write_text(json.dumps(old))
    reader = Records(file, read_only=True)
    assert (reader.candidate() or [""])[0] == "c1"
    assert reader.rows("PRAGMA user_version") == [(database.SCHEMA_VERSION,)]
    copy.write_text(json.dumps(content | {"schema": 99}))
    with pytest.raises(StateError, match="newer version"):
        Records(file, read_only=True)


def test_status_is_the_same_for_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.deploy(1)
    world.services.bad = {"0" * 39 + "2"}
    world.deploy(2)
    for_root = status(world.settings, world.paths, world.services)
    monkeypatch.setattr(public, "is_for_me", os.path.exists)
    assert status(world.settings, world.paths, world.services) == for_root
