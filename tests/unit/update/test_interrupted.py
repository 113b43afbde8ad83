"""A run that a signal ends: who finishes what it switched, and what is said of it."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

from autoupdate.cli import confirm_unit
from autoupdate.cli.render.status import status as words
from autoupdate.cli.signals import outlive_the_terminal
from autoupdate.gates.attempts import stuck
from autoupdate.host import runtime_files
from autoupdate.model.errors import Exit, Interrupted
from autoupdate.model.steps import Result, Step
from autoupdate.reports.status import status
from autoupdate.update import activate
from tests.unit.effects import APP, Killed, commit
from tests.unit.world import World

CONFIRM = f"autoupdate-confirm@{APP}.service"


def interrupt() -> None:
    """Do what Ctrl+C does."""
    raise KeyboardInterrupt


def stop() -> None:
    """Do what SIGTERM does."""
    raise Interrupted("", 143)


def interrupted_in_probation(world: World, how: Callable[[], None]) -> BaseException:
    """Interrupt the update to version 2 while its services are watched."""
    assert world.deploy(1).exit_code == Exit.DONE
    world.clock.at_time = [(world.clock.seconds + 1, how)]
    with pytest.raises(KeyboardInterrupt) as caught:
        world.deploy(2)
    return caught.value


def told(world: World) -> str:
    """Return what `status` prints."""
    return words(status(world.settings, world.paths, world.services), world.clock.now())


@pytest.mark.parametrize(("how", "code"), [(interrupt, 130), (stop, 143)])
def test_probation_is_handed_over(world: World, how: Callable[[], None], code: int) -> None:
    said = interrupted_in_probation(world, how)
    assert world.services.watched_later == [APP]
    assert f"interrupted in step probation; {CONFIRM} finishes it" in str(said)
    last = world.records.last_run()
    assert last
    assert (last.result, last.exit_code) == (Result.INTERRUPTED, code)
    assert confirm_unit.confirm(world.app) == Exit.DONE
    assert status(world.settings, world.paths, world.services)["state"] == "current"


@pytest.mark.parametrize("switched", [False, True])
def test_signal_in_the_switch_blames_no_commit(
    world: World, monkeypatch: pytest.MonkeyPatch, *, switched: bool
) -> None:
    """Services start at once afterwards, and the next run deploys the commit."""
    world.deploy(1)
    switch = activate.switch  # type: ignore[attr-defined]

    def cut(*arguments: Any) -> None:
        if switched:
            switch(*arguments)
        stop()

    monkeypatch.setattr(activate, "switch", cut)
    with pytest.raises(KeyboardInterrupt) as caught:
        world.deploy(2)
    assert f"interrupted in step activate; {CONFIRM} finishes or undoes it" in str(caught.value)
    monkeypatch.setattr(activate, "switch", switch)
    confirm_unit.confirm(world.app)
    assert world.records.quarantined() == []
    assert stuck(world.records) == ""
    assert world.current_commit() == commit(2 if switched else 1)
    world.run()
    assert world.current_commit() == commit(2)


def test_probation_that_nobody_takes_over_is_said_to_be_unwatched(world: World) -> None:
    world.services.starts_units = False
    said = interrupted_in_probation(world, interrupt)
    assert f"nobody finishes it: type autoupdatectl run {APP}" in str(said)
    facts = status(world.settings, world.paths, world.services)
    assert (facts["state"], facts["watched"]) == ("probation", False)
    assert "nobody watches it" in told(world)
    assert f"autoupdatectl run {APP}" in told(world)
    world.services.add(CONFIRM)
    assert status(world.settings, world.paths, world.services)["watched"]
    assert "the new release is being watched" in told(world)


def test_probation_in_a_run_is_watched(world: World) -> None:
    seen = []

    def look() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runtime_files, "is_running", lambda _: True)
            seen.append(status(world.settings, world.paths, world.services)["watched"])

    world.deploy(1)
    world.clock.at_time = [(world.clock.seconds + 1, look)]
    world.deploy(2)
    assert seen == [True]
    assert not status(world.settings, world.paths, world.services)["watched"]


def test_what_was_interrupted_before_the_switch_has_failed_nobody(world: World) -> None:
    world.deploy(1)
    world.worker.faults["build"] = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt) as caught:
        world.deploy(2)
    release = world.release_of(1)
    assert f"interrupted in step build; release {release} is kept" in str(caught.value)
    assert world.services.watched_later == []
    facts = status(world.settings, world.paths, world.services)
    assert (facts["state"], facts["interrupted"]["step"]) == ("behind", "build")
    assert "in step build" in told(world)


def test_a_run_that_ends_between_two_looks_is_not_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of "updating" and "interrupted" is always said of an update without an end."""
    world.deploy(1)
    world.worker.faults["build"] = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        world.deploy(2)
    looks = iter([True, False, False, False])
    monkeypatch.setattr(runtime_files, "is_running", lambda _: next(looks))
    facts = status(world.settings, world.paths, world.services)
    assert (facts["state"], facts["interrupted"]) == ("updating", None)


def interrupted_rollback(world: World) -> None:
    """Kill a run while it rolls back from version 2, after the switch."""
    world.deploy(1)
    world.services.bad = {commit(2)}
    world.upstream = commit(2)
    world.die_at = 0
    enter = world.records.enter

    def die(number: int, step: Step, at: str) -> None:
        enter(number, step, at)
        if step is Step.ROLL_BACK:
            raise Killed("in the rollback")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.records, "enter", die)
        with pytest.raises(Killed):
            world.run()
    world.revive()


def test_run_that_finishes_a_rollback_says_so(world: World) -> None:
    interrupted_rollback(world)
    assert status(world.settings, world.paths, world.services)["state"] == "failed"
    success = world.records.last_success_at()
    outcome = world.run()
    assert (outcome.result, outcome.exit_code) == (Result.ROLLED_BACK, Exit.FAILED)
    assert "rolled back from commit" in outcome.reason
    assert world.current_commit() == commit(1)
    assert world.records.last_success_at() == success


def test_run_that_finishes_a_rollback_and_then_updates_has_succeeded(world: World) -> None:
    interrupted_rollback(world)
    assert world.deploy(3).result is Result.UPDATED


def test_interrupted_rollback_is_finished_by_the_unit_that_watches(world: World) -> None:
    interrupted_rollback(world)
    assert confirm_unit.confirm(world.app) == Exit.FAILED
    assert world.current_commit() == commit(1)
    assert world.records.unfinished() is None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals(number: int, code: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as caught, outlive_the_terminal():
        signal.raise_signal(signal.SIGHUP)
        try:
            signal.raise_signal(number)
        finally:
            # A second one does not interrupt what the first one began.
            signal.raise_signal(number)
    assert caught.value.exit_code == code
    assert signal.getsignal(number) is before
