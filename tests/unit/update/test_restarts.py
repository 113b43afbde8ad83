"""Which services an update restarts and watches."""

import pytest

from autoupdate.cli import confirm_unit
from autoupdate.host import runtime_files
from autoupdate.model.errors import (
    Exit,
)
from autoupdate.model.steps import Result, Step
from tests.unit.effects import commit
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
