"""A mount where nothing can be executed: no commit is to blame for it."""

from pathlib import Path

import pytest

from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from tests.unit.effects import commit
from tests.unit.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with version 1 deployed."""
    world = World(tmp_path)
    world.deploy(1)
    return world


def test_refused_before_the_build_however_often(world: World) -> None:
    world.noexec = "/mnt"
    for _ in range(12):
        world.worker.calls.clear()
        outcome = world.deploy(2)
        assert (outcome.result, outcome.exit_code) == (Result.FAILED, Exit.FAILED)
        assert "/mnt is mounted noexec" in outcome.reason
        assert outcome.advice.startswith("mount -o remount,exec /mnt ")
        assert "check_out" not in world.worker.calls
    assert world.records.quarantined() == []
    assert world.current_commit() == commit(1)
    world.noexec = ""
    assert world.run().result is Result.UPDATED


def test_first_deployment(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.noexec = "/mnt"
    outcome = world.deploy(1)
    assert outcome.exit_code == Exit.FAILED
    assert "nothing is deployed" in outcome.reason


def test_mounted_so_after_the_build(world: World) -> None:
    """Then the services cannot start, with this commit or any other."""
    world.services.bad = {commit(2)}

    real = world.worker.rehearse

    def rehearse(*arguments: object, **more: object) -> tuple[str, ...]:
        world.noexec = "/mnt"
        return real(*arguments, **more)  # type: ignore[arg-type]

    world.worker.rehearse = rehearse  # type: ignore[method-assign]
    world.deploy(2)
    assert world.records.quarantined() == []
