"""A release that is built outside the windows waits, and is switched to in the next window."""

from collections.abc import Callable
from pathlib import Path

import pytest

from autoupdate.model.errors import Exit, UpdateFailedError
from autoupdate.model.steps import Result
from autoupdate.model.times import seconds
from tests.unit.effects import APP, Killed, commit
from tests.unit.guard import GUARD
from tests.unit.world import World, settings

# The clock of these tests starts on Thursday, 1 January 2099, at midnight UTC.
CLOSED = ["Fri 02:00-05:00 UTC", "Sat 03:00-03:10 UTC"]
FRIDAY = seconds("2099-01-02T02:00:00Z")
BUILDING = {"fetch", "check_out", "plan", "build"}


def close_windows(world: World) -> None:
    """Allow switches on Friday and Saturday only."""
    world.settings = settings(world.root, windows__allowed=CLOSED)


def wait_for_friday(world: World) -> None:
    """Let time pass until a window is open."""
    world.clock.ahead += 26 * 3600


def build_version_2(world: World) -> str:
    """Deploy version 1, close the windows, build version 2; return its release."""
    world.deploy(1)
    close_windows(world)
    assert world.deploy(2).result == Result.DEFERRED
    return world.release_of(2)


def test_only_the_switch_waits(world: World) -> None:
    release = build_version_2(world)
    assert release in world.releases_on_disk()
    assert world.current_commit() == commit(1)
    last = world.records.last_run()
    assert last
    assert last.exit_code == Exit.DONE
    assert "outside the windows" in last.reason
    assert "the next one opens at 2099-01-02T02:00:00Z" in last.reason
    assert len(world.services.restarts) == 1, "only for the first deployment"
    world.worker.calls.clear()
    assert world.run().result == Result.DEFERRED
    assert not BUILDING & set(world.worker.calls), "it is already built"
    wait_for_friday(world)
    assert world.run().result == Result.UPDATED
    assert not BUILDING & set(world.worker.calls)
    assert world.current_commit() == commit(2)
    assert world.release_of(2) == release
    world.assert_whole()


def test_run_at_the_opening_is_scheduled(world: World) -> None:
    build_version_2(world)
    assert world.transient_units.planned == (APP, float(FRIDAY), 600.0)


def test_run_that_cannot_be_scheduled_is_reported(world: World) -> None:
    world.transient_units.fault = "Failed to connect to bus"
    build_version_2(world)
    logged = [event.message for event in world.log.events]
    assert any("cannot schedule a run for 2099-01-02T02:00:00Z" in line for line in logged)
    assert any(line.endswith("Failed to connect to bus") for line in logged)


def test_newer_commit_replaces_it(world: World) -> None:
    build_version_2(world)
    assert world.deploy(3).result == Result.DEFERRED
    assert {item.commit for item in world.records.releases()} == {commit(1), commit(3)}
    assert world.releases_on_disk() == world.known_releases()
    wait_for_friday(world)
    assert world.run().commit == commit(3)


def test_force_does_not_wait(world: World) -> None:
    build_version_2(world)
    assert world.run(force=True).result == Result.UPDATED


def test_first_deployment_does_not_wait(world: World) -> None:
    close_windows(world)
    assert world.deploy(1).result == Result.UPDATED


def test_release_that_can_no_longer_run_does_not_wait(world: World) -> None:
    build_version_2(world)
    Path(world.paths.current, ".venv/bin/python").unlink()
    assert world.run().result == Result.UPDATED


def test_incomplete_release_is_built_again(world: World) -> None:
    release = build_version_2(world)
    Path(world.paths.release(release), ".venv/bin/python").unlink()
    world.worker.calls.clear()
    assert world.run().result == Result.DEFERRED
    assert "build" in world.worker.calls
    assert world.releases_on_disk() == world.known_releases()


def test_bad_release_is_rolled_back_in_the_window(world: World) -> None:
    build_version_2(world)
    world.services.bad = {commit(2)}
    wait_for_friday(world)
    assert world.run().result == Result.ROLLED_BACK
    world.assert_whole()
    assert world.release_of(2) == ""


def test_roll_back_by_hand_needs_no_window(world: World) -> None:
    world.deploy(1)
    world.deploy(2)
    close_windows(world)
    assert world.roll_back().result == Result.ROLLED_BACK


def outside_then_inside(world: World) -> None:
    """Update to version 2: built while the windows are closed, switched to when one opens."""
    close_windows(world)
    world.deploy(2)
    wait_for_friday(world)
    world.run()


def fail_outside(world: World) -> None:
    """Fail to build version 3 while version 2 waits."""
    close_windows(world)
    world.deploy(2)
    world.worker.faults["build"] = UpdateFailedError("no such requirement")
    world.deploy(3)


@pytest.mark.parametrize("scenario", [outside_then_inside, fail_outside])
def test_killed_before_each_effect(tmp_path: Path, scenario: Callable[[World], None]) -> None:
    number = 0
    while True:
        number += 1
        world = World(tmp_path / str(number))
        world.deploy(1)
        world.effects, world.die_at = 0, number
        GUARD.before_change = world.effect
        try:
            scenario(world)
        except Killed:
            died = True
        else:
            died = False
        GUARD.before_change = None
        world.revive()
        world.worker.faults.clear()
        try:
            assert world.current_commit() in (commit(1), commit(2))
            close_windows(world)
            # On Sunday no window is open, whenever the run was killed.
            world.clock.ahead = 74 * 3600
            was = world.current_commit()
            assert world.deploy(4).result == Result.DEFERRED
            world.assert_whole()
            assert world.current_commit() in (was, commit(2))
            waiting = [item for item in world.records.releases() if not item.activated_at]
            assert [item.commit for item in waiting] == [commit(4)]
            assert world.releases_on_disk() == world.known_releases()
            world.settings = settings(world.root, windows__allowed=["00:00-24:00 UTC"])
            world.worker.calls.clear()
            assert world.run().result == Result.UPDATED
            assert not BUILDING & set(world.worker.calls)
            assert world.current_commit() == commit(4)
            world.assert_whole()
        except BaseException as error:
            error.add_note(f"killed before effect {number}")
            raise
        world.close()
        if not died:
            break
    assert number > 60


def test_window_that_is_not_valid_stops_only_the_switch(world: World) -> None:
    world.deploy(1)
    world.settings = settings(world.root, windows__allowed=["at night"])
    assert world.run().result is Result.CURRENT
    outcome = world.deploy(2)
    assert (outcome.result, outcome.exit_code) == (Result.DEFERRED, Exit.DONE)
    assert 'windows.allowed: "at night" is not a window' in outcome.reason
    assert "config check" in outcome.advice
    world.settings = settings(world.root)
    assert world.run().result is Result.UPDATED
