"""The environment of a failed rehearsal is kept for the next try, and for no longer."""

import os
from pathlib import Path

import pytest

from autoupdate.model.errors import UpdateFailedError
from autoupdate.model.steps import Result
from tests.unit.effects import Killed
from tests.unit.world import World

OLD, NEW, OTHER = "a" * 24, "b" * 24, "c" * 24


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world where the rehearsal of version 2, with new dependencies, failed."""
    world = World(tmp_path)
    os.makedirs(world.paths.environments)
    world.worker.key = OLD
    world.deploy(1)
    world.worker.key = NEW
    world.worker.faults["rehearse"] = UpdateFailedError("a test failed")
    assert world.deploy(2).result is Result.FAILED
    return world


def kept(world: World) -> set[str]:
    """Return the environments on disk."""
    return set(os.listdir(world.paths.environments))


def test_kept_for_the_next_commit(world: World) -> None:
    assert kept(world) == {OLD, NEW}
    world.run()
    assert kept(world) == {OLD, NEW}
    world.worker.calls.clear()
    world.run()
    assert "tidy" not in world.worker.calls
    assert NEW in world.worker.environments
    world.worker.faults.clear()
    assert world.deploy(3).result is Result.UPDATED
    assert kept(world) == {OLD, NEW}
    assert not os.path.exists(world.paths.spare)


def test_there_is_at_most_one(world: World) -> None:
    world.worker.key = OTHER
    assert world.deploy(3).result is Result.FAILED
    assert kept(world) == {OLD, OTHER}
    world.worker.key = OLD
    world.worker.faults.clear()
    assert world.deploy(4).result is Result.UPDATED
    assert kept(world) == {OLD}


def test_first_deployment(tmp_path: Path) -> None:
    world = World(tmp_path)
    os.makedirs(world.paths.environments)
    world.worker.key = NEW
    world.worker.faults["rehearse"] = UpdateFailedError("a test failed")
    world.deploy(1)
    world.run()
    assert kept(world) == {NEW}
    assert world.releases_on_disk() == set()


def test_killed_rehearsal(tmp_path: Path) -> None:
    world = World(tmp_path)
    os.makedirs(world.paths.environments)
    world.worker.key = NEW
    world.worker.faults["rehearse"] = Killed("rehearse")  # type: ignore[assignment]
    with pytest.raises(Killed):
        world.deploy(1)
    world.worker.faults.clear()
    world.revive()
    world.worker.calls.clear()
    assert world.run().result is Result.UPDATED
    assert kept(world) == {NEW}
