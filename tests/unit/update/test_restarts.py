"""Which services an update restarts and watches."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from autoupdate.cli import confirm_unit
from autoupdate.host import runtime_files
from autoupdate.model.errors import (
    Exit,
)
from autoupdate.model.steps import Result, Step
from tests.unit.effects import Killed, commit
from tests.unit.world import World


def test_waiting_service_is_not_restarted_but_watched_later(world: World) -> None:
    """Restarting a service that waits for this very run would wait for ever."""
    world.deploy(1)
    world.services.restarts.clear()
    world.services.change("web.service", active="activating", sub="start-pre")
    assert world.deploy(2).exit_code == Exit.DONE
    assert world.services.restarts == [("api.service", "worker.service")]
    assert world.services.watched_later == ["ipfs-accelerate"]
    unfinished = world.records.unfinished()
    assert unfinished is not None
    assert unfinished.step == Step.PROBATION
    world.services.start("web.service")
    assert confirm_unit.confirm(world.app) == Exit.DONE
    world.assert_whole()


def test_waiting_service_that_then_fails_is_rolled_back(world: World) -> None:
    world.deploy(1)
    world.services.change("web.service", active="activating", sub="start-pre")
    world.deploy(2)
    world.services.bad = {commit(2)}
    world.services.start("web.service")
    assert confirm_unit.confirm(world.app) == Exit.FAILED
    assert world.current_commit() == commit(1)
    assert not runtime_files.is_fresh(world.paths), "the next start must check again"
    world.assert_whole()


def test_confirm_without_a_probation_does_nothing(world: World) -> None:
    world.deploy(1)
    assert confirm_unit.confirm(world.app) == Exit.DONE
    assert len(world.records.history(10)) == 1


@pytest.mark.parametrize(
    ("active", "sub"), [("inactive", "dead"), ("failed", "failed"), ("deactivating", "stop")]
)
def test_stopped_service_is_not_started(world: World, active: str, sub: str) -> None:
    world.services.change("api.service", active=active, sub=sub)
    assert world.run().result is Result.UPDATED
    assert world.services.restarts == [("web.service", "worker.service")]
    assert world.services.units["api.service"].active == active


def test_services_that_the_host_does_not_have(world: World) -> None:
    del world.services.units["api.service"]
    assert world.run().result is Result.UPDATED
    assert world.services.restarts == [("web.service", "worker.service")]


def test_no_service_manager(world: World) -> None:
    world.services.units.clear()
    assert world.run().result is Result.UPDATED
    assert "no-supervisor" in world.log.kinds


@pytest.fixture
def canary(tmp_path: Path) -> World:
    """Return a host that restarts api.service first, with version 1."""
    world = World(tmp_path, health__first="api.service")
    world.deploy(1)
    world.services.restarts.clear()
    return world


def test_first_service_is_watched_before_the_others_restart(canary: World) -> None:
    moments: list[float] = []
    restart = canary.services.restart

    def note(names: Sequence[str]) -> None:
        moments.append(canary.clock.seconds)
        restart(names)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canary.services, "restart", note)
        assert canary.deploy(2).exit_code == Exit.DONE
    assert canary.services.restarts == [("api.service",), ("web.service", "worker.service")]
    assert moments[1] - moments[0] >= canary.settings.health.soak
    canary.assert_whole()


def test_first_service_that_fails_leaves_the_others_alone(canary: World) -> None:
    canary.services.bad = {commit(2)}
    before = canary.services.units["web.service"].invocation
    assert canary.deploy(2).result is Result.ROLLED_BACK
    assert canary.services.restarts == [("api.service",), ("api.service",)]
    assert canary.services.units["web.service"].invocation == before
    assert canary.records.quarantined()[0].commit == commit(2)
    canary.assert_whole()


def test_service_that_was_restarted_meanwhile_is_rolled_back_too(canary: World) -> None:
    """It started on the new release, so it must leave it."""
    canary.services.bad = {commit(2)}
    start = canary.services.start

    def start_both(name: str) -> None:
        start(name)
        if name == "api.service" and canary.services.runs[name] == commit(2):
            start("web.service")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canary.services, "start", start_both)
        assert canary.deploy(2).result is Result.ROLLED_BACK
    assert canary.services.runs["web.service"] == commit(1)
    assert ("api.service", "web.service") in {
        tuple(sorted(item)) for item in canary.services.restarts
    }
    canary.assert_whole()


def test_first_service_that_does_not_run_is_no_obstacle(canary: World) -> None:
    canary.services.change("api.service", active="inactive", sub="dead")
    assert canary.deploy(2).exit_code == Exit.DONE
    assert canary.services.restarts == [("web.service", "worker.service")]


def test_killed_while_the_first_service_is_watched(canary: World) -> None:
    def die() -> None:
        raise Killed("while it is watched")

    canary.clock.at_time = [(canary.clock.seconds + 1, die)]
    with pytest.raises(Killed):
        canary.deploy(2)
    assert canary.run().exit_code == Exit.DONE
    assert set(canary.services.runs.values()) == {commit(2)}
    canary.assert_whole()
