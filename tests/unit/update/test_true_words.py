"""What is said after a rollback by hand, with nothing deployed, and when something is gone."""

import re
import shutil

import pytest

from autoupdate.cli.render.status import status as words
from autoupdate.model.errors import Exit, UnreachableError, UpdateFailedError
from autoupdate.model.steps import Result
from autoupdate.records import hold, pin
from autoupdate.records.hold import Hold
from autoupdate.records.pin import Pin
from autoupdate.reports.status import status
from autoupdate.update.run import one_run
from tests.unit.effects import commit
from tests.unit.world import World

SINCE, FAR = "2026-01-01T00:00:00Z", "2199-01-01T00:00:00Z"


def state(world: World) -> str:
    """Return the state in one word."""
    word: str = status(world.settings, world.paths, world.services)["state"]
    return word


def test_after_a_rollback_by_hand(world: World) -> None:
    world.deploy(1)
    world.deploy(2)
    assert world.roll_back().exit_code == Exit.DONE
    assert state(world) == "rolled-back"
    outcome = world.run()
    assert "because it was rolled back by hand" in outcome.reason
    assert "failed" not in outcome.reason
    assert state(world) == "rolled-back"


def test_rollback_from_a_release_without_a_record_names_it(world: World) -> None:
    world.deploy(1)
    world.deploy(2)
    left = world.release_of(2)
    world.records.forget_release(left)
    outcome = world.roll_back()
    assert f"rolled back from release {left} to" in outcome.reason


@pytest.mark.parametrize("fault", [UnreachableError("no answer"), UpdateFailedError("bad")])
def test_release_whose_directory_is_gone_is_not_nothing(world: World, fault: Exception) -> None:
    world.deploy(1)
    release = world.release_of(1)
    shutil.rmtree(world.paths.release(release))
    world.worker.faults["build"] = fault  # type: ignore[assignment]
    world.upstream = commit(2)
    outcome = one_run(world.app, wait=False)
    assert outcome.exit_code
    assert "nothing is deployed" not in outcome.reason
    assert f"release {release} is current, but its directory is missing" in outcome.reason


def test_last_success_is_null_until_something_is_deployed(world: World) -> None:
    hold.put(world.records, Hold(SINCE, FAR, "not yet"))
    assert world.run().exit_code == Exit.DONE
    assert status(world.settings, world.paths, world.services)["last_success_at"] is None
    hold.lift(world.records)
    world.deploy(1)
    assert status(world.settings, world.paths, world.services)["last_success_at"]


def moves(world: World) -> bool:
    """Do a run that exits with 0; return whether the last success has moved."""
    before = world.records.last_success_at()
    assert world.run().exit_code == Exit.DONE
    return world.records.last_success_at() != before


def test_last_success_does_not_move_while_the_newest_commit_is_bad(world: World) -> None:
    world.deploy(1)
    assert moves(world)
    world.services.bad = {commit(2)}
    assert world.deploy(2).result is Result.ROLLED_BACK
    assert not moves(world)
    hold.put(world.records, Hold(SINCE, FAR, "known"))
    assert moves(world), "the administrator wants it so"


def test_last_success_does_not_move_after_a_rollback_by_hand(world: World) -> None:
    world.deploy(1)
    world.deploy(2)
    before = world.records.last_success_at()
    world.roll_back()
    assert world.records.last_success_at() == before


def test_last_success_moves_while_a_window_is_closed_or_a_pin_is_kept(world: World) -> None:
    world.deploy(1)
    world.upstream = commit(2)
    pin.put(world.records, Pin(commit(1), SINCE))
    assert moves(world)


def test_pinned_to_what_is_not_deployed_yet(world: World) -> None:
    world.deploy(1)
    pin.put(world.records, Pin(commit(5), SINCE))
    assert state(world) == "behind"


def test_with_nothing_deployed(world: World) -> None:
    hold.put(world.records, Hold(SINCE, "", ""))
    world.run()
    hold.lift(world.records)
    facts = status(world.settings, world.paths, world.services)
    shown = re.sub(r"\033\[[0-9;]*m", "", words(facts, world.clock.now()))
    assert "nothing is deployed" in shown
    assert re.search("last success +never", shown)
