"""Commands, faults and settings in an unusual order."""

import os
from pathlib import Path

import pytest

from autoupdate.gates.attempts import stuck
from autoupdate.host.disk_usage import own_bytes
from autoupdate.model.errors import HostFaultError, UnreachableError
from autoupdate.model.steps import Result
from autoupdate.records import high_water
from autoupdate.reports.status import status
from autoupdate.update.run import one_run
from tests.unit.effects import Killed, commit
from tests.unit.world import World, settings


def another_python(world: World, **more: object) -> None:
    """Replace the host's Python, as an upgrade of Debian does."""
    python = world.root / "python3.13"
    python.touch()
    world.settings = settings(world.root, build__python=str(python), **more)


def test_a_first_deployment_that_died_before_it_had_a_release(tmp_path: Path) -> None:
    world = World(tmp_path / "whole")
    world.deploy(1)
    begins = world.effect_names.index("fetch") + 1
    world.close()
    world = World(tmp_path / "killed")
    world.die_at = begins
    with pytest.raises(Killed):
        world.deploy(1)
    world.revive()
    world.check_fault = UnreachableError("gone")
    one_run(world.app, wait=False)
    assert [item.result for item in world.records.history(9)] == [Result.INTERRUPTED]
    assert high_water.read(world.records) is None
    world.close()


def test_another_python_after_a_roll_back_by_hand(world: World) -> None:
    """The deployed commit is older than the last one, but this is no downgrade by upstream."""
    for number in (1, 2, 3):
        world.deploy(number)
    world.roll_back()
    another_python(world)
    assert one_run(world.app, wait=False).result is Result.UPDATED
    assert world.current_commit() == commit(2)
    mark = high_water.read(world.records)
    assert mark
    assert mark.commit == commit(3), "upstream must not downgrade because of that"


def test_another_python_and_a_guard_that_is_stricter_now(world: World) -> None:
    world.deploy(1)
    another_python(world, guard__required=["server.py"])
    assert one_run(world.app, wait=False).result is Result.UPDATED


def test_a_python_that_was_wrong_for_a_while_is_forgotten(world: World) -> None:
    """A mistake in the settings that was fixed: no service is kept down for it afterwards."""
    world.deploy(1)
    good = world.settings
    another_python(world)
    world.worker.faults["build"] = HostFaultError("build.python: it is no program")
    assert one_run(world.app, wait=False).exit_code
    assert stuck(world.records)
    world.worker.faults.clear()
    world.settings = good
    assert one_run(world.app, wait=False).result is Result.CURRENT
    assert not stuck(world.records)


def test_a_commit_in_quarantine_does_not_become_the_previous_one(world: World) -> None:
    for number in (1, 2, 3):
        world.deploy(number)
    world.roll_back()
    assert world.deploy(4).result is Result.UPDATED
    world.services.bad = {commit(5)}
    assert world.deploy(5).result is Result.ROLLED_BACK
    assert world.current_commit() == commit(4)
    assert world.previous_commit() == commit(2)


@pytest.mark.parametrize(
    ("path", "result"),
    [("srv/app", Result.CURRENT), ("srv/other", Result.UPDATED)],
    ids=["removed", "set to another place"],
)
def test_a_missing_path_is_made_again(world: World, path: str, result: Result) -> None:
    world.deploy(1)
    os.unlink(world.settings.path)
    world.settings = settings(world.root, path=f"{world.root}/{path}")
    assert one_run(world.app, wait=False).result is result
    assert os.readlink(world.settings.path) == world.paths.current


def test_a_command_that_is_refused_is_no_run(world: World) -> None:
    world.deploy(1)
    before = world.records.last_run()
    outcome = one_run(world.app, wait=False, back_to="20200101T000000Z-123456789abc")
    assert outcome.result is Result.REFUSED
    assert world.records.last_run() == before


def test_state_is_current_when_a_hold_has_ended(world: World) -> None:
    from autoupdate.records import hold

    world.deploy(1)
    hold.put(world.records, hold.Hold(world.clock.now(), "", "trade fair"))
    assert one_run(world.app, wait=False).result is Result.DEFERRED
    hold.lift(world.records)
    assert status(world.settings, world.paths, world.services)["state"] == "current"


def test_files_that_releases_share_are_not_counted_for_one(tmp_path: Path) -> None:
    release = tmp_path / "release"
    (release / "inner").mkdir(parents=True)
    (release / "inner/own").write_bytes(b"x" * 100_000)
    alone = own_bytes(str(release))
    (tmp_path / "environment").write_bytes(b"x" * 1_000_000)
    for name in ("one", "two"):
        os.link(tmp_path / "environment", release / name)
    os.symlink("/nowhere", release / "link")
    assert 100_000 <= alone <= own_bytes(str(release)) < 1_000_000
