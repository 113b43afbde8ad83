"""A release that can no longer run: its commit is built again, whatever stops newer ones."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from autoupdate.host import runtime_files
from autoupdate.model.errors import Exit, UnreachableError, UpdateFailedError
from autoupdate.model.steps import Result
from autoupdate.records import hold, pin
from autoupdate.records.hold import Hold
from autoupdate.records.pin import Pin
from autoupdate.update.run import one_run
from tests.unit.conftest import Journal
from tests.unit.effects import APP, commit
from tests.unit.service_start.test_gate import Gate
from tests.unit.world import World, settings


@pytest.fixture
def upgraded(world: World) -> World:
    """Return an app with version 1, on a host whose Python has changed."""
    world.deploy(1)
    upgrade(world)
    return world


def upgrade(world: World, **changes: object) -> None:
    """Replace the host's Python."""
    other = world.root / "python3.13"
    other.touch(0o755)
    world.settings = settings(world.root, build__python=str(other), **changes)


def hold_updates(world: World) -> None:
    """Put updates on hold."""
    hold.put(world.records, Hold(world.clock.now(), "", "trade fair"))


def quarantine_the_newest(world: World) -> None:
    """Put upstream's newest commit into quarantine."""
    world.records.quarantine(commit(2), "probation", "it crashed", world.clock.now())


def cut_the_network(world: World) -> None:
    """Make upstream unreachable."""
    world.check_fault = UnreachableError("upstream did not answer")


def break_the_newest(world: World) -> None:
    """Make the fetch of upstream's newest commit fail."""
    world.worker.faults["fetch"] = UpdateFailedError("not what was asked for")


@pytest.mark.parametrize(
    "keep_back", [hold_updates, quarantine_the_newest, cut_the_network, break_the_newest]
)
def test_services_come_up_on_the_same_commit(
    upgraded: World, keep_back: Callable[[World], None]
) -> None:
    upgraded.upstream = commit(2)
    keep_back(upgraded)
    outcome = upgraded.run()
    assert outcome.result is Result.UPDATED
    assert upgraded.current_commit() == commit(1)
    assert len(upgraded.known_releases()) == 2
    upgraded.assert_whole()
    # Not again in the next run.
    assert upgraded.run().result is not Result.UPDATED
    assert len(upgraded.known_releases()) == 2


def test_bad_commit_after_the_upgrade_is_rolled_back_to_a_rebuilt_one(upgraded: World) -> None:
    """The previous release can no longer run, but it is rebuilt; the bad one must not be kept."""
    upgraded.services.bad = {commit(2)}
    upgraded.upstream = commit(2)
    # Only the services can show this, so that `plan` cannot know it.
    assert one_run(upgraded.app, wait=False).result is Result.UPDATED
    assert upgraded.current_commit() == commit(1)
    assert [item.commit for item in upgraded.records.quarantined()] == [commit(2)]
    results = [item.result for item in upgraded.records.history(2)]
    assert results == [Result.UPDATED, Result.ROLLED_BACK]
    upgraded.assert_whole()


def test_a_closed_window_does_not_stop_it(world: World) -> None:
    world.deploy(1)
    upgrade(world, windows__allowed=["Mon 03:00-03:01 UTC"])
    assert world.run().result is Result.UPDATED
    assert world.current_commit() == commit(1)


@pytest.mark.parametrize("newest", [2, 3])
def test_previous_release_is_kept_when_the_current_one_is_gone(world: World, newest: int) -> None:
    world.deploy(1)
    world.deploy(2)
    shutil.rmtree(world.paths.release(world.release_of(2)))
    assert world.deploy(newest).result is Result.UPDATED
    assert (world.current_commit(), world.previous_commit()) == (commit(newest), commit(1))
    assert world.roll_back().exit_code == Exit.DONE
    assert world.current_commit() == commit(1)


def test_a_newer_commit_is_enough(upgraded: World) -> None:
    upgraded.upstream = commit(2)
    assert upgraded.run().result is Result.UPDATED
    assert upgraded.current_commit() == commit(2)
    assert len(upgraded.known_releases()) == 2


def test_pinned_commit(upgraded: World) -> None:
    upgraded.upstream = commit(2)
    pin.put(upgraded.records, Pin(commit(1), "t"))
    assert upgraded.run().result is Result.UPDATED
    assert upgraded.current_commit() == commit(1)


def test_rebuild_that_fails_is_reported_and_put_off(upgraded: World) -> None:
    hold_updates(upgraded)
    upgraded.worker.faults["build"] = UpdateFailedError("no wheel for this Python")
    outcome = upgraded.run()
    assert (outcome.result, outcome.exit_code) == (Result.FAILED, Exit.FAILED)
    assert "no wheel for this Python" in outcome.reason
    assert upgraded.current_commit() == commit(1)
    del upgraded.worker.faults["build"]
    outcome = upgraded.run()
    assert outcome.exit_code == Exit.DONE
    assert "no wheel for this Python" in outcome.reason
    assert not runtime_files.is_fresh(upgraded.paths), "a start must ask again"


@pytest.mark.parametrize("held", [True, False])
def test_gate_asks_for_it_where_starts_do_not_update(
    upgraded: World, journal: Journal, held: bool
) -> None:
    asked = Gate(upgraded)
    asked.configure("" if held else "update = false")
    python = upgraded.settings.build.python
    file = Path(upgraded.all_paths.etc, f"apps/{APP}.toml")
    file.write_text(f'{file.read_text()}[build]\npython = "{python}"\n')
    if held:
        hold_updates(upgraded)
    upgraded.upstream = commit(2)
    runtime_files.set_stale(upgraded.paths)
    assert asked.ask() == 0
    assert upgraded.current_commit() == commit(1)
    assert upgraded.records.history(1)[0].trigger == "start"
    upgraded.assert_whole()
