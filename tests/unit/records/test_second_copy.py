"""A state that is lost or damaged: what the next run still knows."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from autoupdate.app import Outcome
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from autoupdate.records.database import DamagedStateError
from autoupdate.records.records import Records
from autoupdate.records.second_copy import facts_file, open_state
from autoupdate.update.run import one_run
from tests.unit.effects import Killed, commit
from tests.unit.guard import GUARD
from tests.unit.world import World

Damage = Callable[[Path], None]


def delete(file: Path) -> None:
    """Lose a file."""
    file.unlink()


def empty(file: Path) -> None:
    """Empty a file, as a power cut may do."""
    file.write_bytes(b"")


def cut(file: Path) -> None:
    """Cut a file after one and a half pages."""
    file.write_bytes(file.read_bytes()[:6000])


def overwrite(file: Path) -> None:
    """Replace the contents of a file."""
    file.write_bytes(b"\0\xffgarbage" * 5000)


def overwrite_all_but_the_header(file: Path) -> None:
    """Damage only the parts that are not read when the file is opened."""
    file.write_bytes(file.read_bytes()[:4096] + b"\xa5" * (file.stat().st_size - 4096))


DAMAGES = [delete, empty, cut, overwrite, overwrite_all_but_the_header]


@pytest.fixture
def damaged(world: World, request: pytest.FixtureRequest) -> World:
    """Return a world in which version 1 runs, version 2 does not, and the state was damaged."""
    world.deploy(1)
    world.services.bad = {commit(2)}
    assert world.deploy(2).result is Result.ROLLED_BACK
    world.records.close()
    request.param(Path(world.paths.state))
    world.worker.calls.clear()
    return world


def run(world: World) -> Outcome:
    """Do one run in a new process; open the state that it left."""
    outcome = run_and_leave(world)
    world.revive()
    return outcome


def run_and_leave(world: World) -> Outcome:
    """Do one run in a new process, which opens the state itself."""
    world.records.close()
    records = open_state(world.paths, lambda _: None)
    outcome = one_run(world.app._replace(records=records), wait=False)
    records.close()
    return outcome


@pytest.mark.parametrize("damaged", DAMAGES, indirect=True, ids=lambda it: it.__name__)
def test_damaged_state(damaged: World) -> None:
    """The second run at the latest continues as if nothing had happened."""
    first, second = run(damaged), run(damaged)
    assert first.exit_code in (Exit.DONE, Exit.FAILED)
    assert (second.result, second.exit_code) == (Result.DEFERRED, Exit.DONE)
    assert [item.commit for item in damaged.records.quarantined()] == [commit(2)]
    assert [item.commit for item in damaged.records.releases()] == [commit(1)]
    assert damaged.worker.calls == [], "nothing is fetched or built again"
    damaged.assert_whole()
    # The state is valid again.
    damaged.services.bad = set()
    assert damaged.deploy(3).result is Result.UPDATED
    damaged.assert_whole()


@pytest.mark.parametrize("damaged", [overwrite], indirect=True)
@pytest.mark.parametrize(
    "content",
    [
        None, b"", b"\xff\xfe", b"[]", b"{}", b'{"releases": 1, "quarantine": []}',
        b'{"releases": [{"id": "r"}], "quarantine": []}', b"[" * 100_000,
        b'{"releases": [], "quarantine": [{"commit": [], "step": 1, "reason": 2, "since": 3}]}',
    ],
)  # fmt: skip
def test_second_copy_is_damaged_as_well(damaged: World, content: bytes | None) -> None:
    """Nothing is known any more: the current commit is built again."""
    facts = Path(facts_file(damaged.paths.state))
    if content is None:
        facts.unlink()
    else:
        facts.write_bytes(content)
    damaged.upstream = commit(1)
    assert run(damaged).result is Result.UPDATED
    assert (damaged.current_commit(), damaged.previous_commit()) == (commit(1), commit(1))
    assert run(damaged).result is Result.CURRENT


@pytest.mark.parametrize("damaged", [overwrite], indirect=True)
def test_second_copy_counts_as_a_whole_or_not_at_all(damaged: World) -> None:
    facts = Path(facts_file(damaged.paths.state))
    known = json.loads(facts.read_text())
    known["releases"] *= 2
    facts.write_text(json.dumps(known))
    records = open_state(damaged.paths, lambda _: None)
    assert (records.releases(), records.quarantined()) == ([], [])
    records.close()


@pytest.mark.parametrize("damaged", [overwrite], indirect=True)
def test_damaged_file_is_reported_and_kept(damaged: World) -> None:
    content = Path(damaged.paths.state).read_bytes()
    told: list[DamagedStateError] = []
    open_state(damaged.paths, told.append).close()
    assert [error.message for error in told] == [
        f"{damaged.paths.state} cannot be opened: file is not a database"
    ]
    assert Path(f"{damaged.paths.state}.damaged").read_bytes() == content
    open_state(damaged.paths, told.append).close()
    assert len(told) == 1


def test_journal_of_a_file_that_is_gone_is_not_played_into_the_new_one(world: World) -> None:
    world.deploy(1)
    world.records.close()
    Path(world.paths.state).unlink()
    Path(f"{world.paths.state}-journal").write_bytes(b"\xd9\xd5\x05\xf9 \xa1c\xd7" + b"\0" * 4000)
    records = open_state(world.paths, lambda _: None)
    assert [item.commit for item in records.releases()] == [commit(1)]
    records.close()


def test_damage_that_shows_in_the_middle_of_a_run(world: World) -> None:
    """Here when the end of the run is recorded, which is its last write."""
    world.deploy(1)

    def fail(*_: object, **__: object) -> None:
        raise DamagedStateError("state.db cannot be written: database disk image is malformed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.records, "set_last_run", fail)
        outcome = world.run()
    assert outcome.exit_code == Exit.FAILED
    assert "is malformed" in outcome.reason
    assert "state-renewed" in world.log.kinds
    assert run(world).result is Result.CURRENT


def test_incomplete_second_copy_is_replaced(world: World) -> None:
    """A power cut may leave it when everything else is done."""
    world.deploy(1)
    half = Path(world.paths.home, "facts.json.new")
    half.write_text("{")
    assert world.run().result is Result.CURRENT
    assert not half.exists()


def test_second_copy_that_cannot_be_written_does_not_fail_the_update(world: World) -> None:
    Path(world.paths.home, "facts.json.new").mkdir()
    assert world.deploy(1).result is Result.UPDATED
    assert "the second copy of the state cannot be written" in world.log.events[-1].message


@pytest.mark.parametrize("damaged", [delete, overwrite], indirect=True)
def test_killed_while_it_is_replaced(damaged: World) -> None:
    """Killed before each change of the file system; nothing that was known is lost."""
    content = damaged.root / "damaged"
    state = Path(damaged.paths.state)
    number, died = 0, True
    if state.exists():
        content.write_bytes(state.read_bytes())
    while died:
        number += 1
        damaged.die_at, damaged.effects, damaged.dead = number, 0, False
        state.unlink(missing_ok=True)
        if content.exists():
            state.write_bytes(content.read_bytes())
        GUARD.before_change = damaged.effect
        try:
            open_state(damaged.paths, lambda _: None).close()
            died = False
        except Killed:
            pass
        GUARD.before_change = None
        records = open_state(damaged.paths, lambda _: None)
        assert [item.commit for item in records.releases()] == [commit(1)]
        assert [item.commit for item in records.quarantined()] == [commit(2)]
        records.close()
    assert number > 3


def test_readers_of_a_damaged_state(world: World) -> None:
    world.deploy(1)
    for damage in (empty, overwrite):
        damage(Path(world.paths.state))
        with pytest.raises(DamagedStateError):
            Records(world.paths.state, read_only=True)


@pytest.mark.parametrize("bad", [False, True], ids=["good commit", "bad commit"])
@pytest.mark.parametrize("damage", [overwrite, delete], ids=lambda it: it.__name__)
def test_damage_at_each_moment_of_an_update(
    world: World, bad: bool, damage: Damage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs later at the latest, the damage has no effect any more, and left no files."""
    world.deploy(1)
    left = [0]

    def spoil(_: str) -> None:
        left[0] -= 1
        if not left[0]:
            damage(Path(world.paths.state))

    monkeypatch.setattr(world, "effect", spoil)
    number, version = 0, 1
    while True:
        number, version = number + 1, version + 1
        left[0] = number
        if bad:
            world.services.bad.add(commit(version))
        good = world.current_commit()
        world.upstream = commit(version)
        run_and_leave(world)
        ended = left[0] > 0
        left[0] = 0
        for _ in range(2):
            run(world)
        assert world.current_commit() == (good if bad else commit(version)), number
        assert world.releases_on_disk() == world.known_releases()
        world.assert_whole()
        if bad:
            assert commit(version) in {item.commit for item in world.records.quarantined()}
        if ended:
            break
    assert number > 20
