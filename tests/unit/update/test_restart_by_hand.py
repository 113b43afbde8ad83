"""restart: the administrator restarts the services without an update."""

import os
from pathlib import Path

import pytest

from autoupdate.app import Outcome
from autoupdate.host import runtime_files
from autoupdate.model.errors import BusyError, Exit, Interrupted
from autoupdate.model.steps import Result
from autoupdate.update.by_hand import restart
from autoupdate.update.run import by_hand
from tests.unit.effects import APP, SERVICES, commit
from tests.unit.world import World


@pytest.fixture
def deployed(world: World) -> World:
    """Return a world with version 1 deployed, and version 2 upstream."""
    world.deploy(1)
    world.upstream = commit(2)
    world.services.restarts.clear()
    return world


def do(world: World) -> Outcome:
    """Restart, as the verb does."""
    app = world.app
    return by_hand(app, lambda: restart(app), wait=False, is_run=False)


def test_all_are_up_on_the_same_release(deployed: World) -> None:
    before = deployed.records.last_run()
    passes: list[bool] = []
    deployed.clock.at_time.append(
        (deployed.clock.seconds, lambda: passes.append(runtime_files.is_activating(deployed.paths)))
    )
    outcome = do(deployed)
    release = deployed.release_of(1)
    assert (outcome.result, outcome.exit_code, outcome.release) == ("current", Exit.DONE, release)
    assert outcome.reason.endswith(f"restarted on release {release}; up: {', '.join(SERVICES)}")
    assert deployed.services.restarts == [SERVICES]
    assert passes == [True], "the gates must pass at once"
    assert not runtime_files.is_activating(deployed.paths)
    assert deployed.records.last_run() == before, "nobody looked for an update"
    assert deployed.current_commit() == commit(1)


def test_a_stopped_service_is_left_alone_and_a_failed_one_is_tried(deployed: World) -> None:
    web, api, worker = SERVICES
    deployed.services.change(web, active="inactive", sub="dead")
    deployed.services.change(api, active="failed", sub="failed")
    outcome = do(deployed)
    assert deployed.services.restarts == [(api, worker)]
    assert outcome.reason.endswith(f"up: {api}, {worker}; not restarted: {web}")


def test_a_service_that_does_not_come_up(deployed: World) -> None:
    web, api, worker = SERVICES
    deployed.services.broken_units = {api}
    outcome = do(deployed)
    assert (outcome.result, outcome.exit_code) == (Result.FAILED, Exit.FAILED)
    assert f"failed: {api} failed (exit-code); up: {web}, {worker}; down: {api}" in outcome.reason
    assert outcome.advice == f"journalctl --unit={api} --lines=50"
    assert deployed.records.quarantined() == [], "the commit is not blamed"


def test_nothing_to_restart(world: World) -> None:
    assert do(world).advice == f"autoupdatectl run {APP}"
    world.deploy(1)
    for name in SERVICES:
        world.services.change(name, active="inactive", sub="dead")
    world.services.restarts.clear()
    outcome = do(world)
    assert (outcome.exit_code, world.services.restarts) == (Exit.USAGE, [])
    os.unlink(f"{world.paths.current}/.venv/bin/python")
    assert "not complete" in do(world).reason


def test_held_lock_and_interruption(deployed: World) -> None:
    with (
        runtime_files.exclusive(deployed.paths, APP, wait=False),
        pytest.raises(BusyError),
    ):
        do(deployed)

    def stop() -> None:
        raise Interrupted("", 143)

    deployed.clock.at_time.append((deployed.clock.seconds, stop))
    with pytest.raises(Interrupted) as caught:
        do(deployed)
    assert caught.value.exit_code == 143
    assert "systemd goes on restarting web.service" in caught.value.message
    assert not Path(deployed.paths.activating).exists()


def test_an_interrupted_update_is_ended_first(deployed: World) -> None:
    deployed.records.begin("manual", commit(2), deployed.release_of(1), deployed.clock.now())
    assert do(deployed).exit_code == Exit.DONE
    deployed.assert_whole()
