"""A run that is killed at any moment is finished or undone by the next one.

Each scenario runs once to count its effects: each call of upstream, worker, services, log and
clock, each write to the state, each change of the file system. Then it runs again for each of
them, and is killed right before it.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from autoupdate.cli import confirm_unit
from autoupdate.model.errors import Exit, HostFaultError, UpdateFailedError
from autoupdate.model.steps import Result
from tests.unit.effects import SERVICES, Killed, commit
from tests.unit.guard import GUARD
from tests.unit.world import World, settings

Scenario = Callable[[World], None]


def deployed(world: World) -> None:
    """Make a world in which version 1 is deployed."""
    assert world.deploy(1).exit_code == Exit.DONE


def deployed_twice(world: World) -> None:
    """Make a world in which version 2 is deployed, after version 1."""
    deployed(world)
    assert world.deploy(2).exit_code == Exit.DONE


def update_to_2(world: World) -> None:
    """Update to version 2."""
    world.deploy(2)


def fail_to_build_2(world: World) -> None:
    """Try version 2, which cannot be built."""
    world.worker.faults["build"] = UpdateFailedError("no such requirement")
    world.deploy(2)


def roll_back_from_2(world: World) -> None:
    """Try version 2, which does not run."""
    world.services.bad = {commit(2)}
    world.deploy(2)


def update_while_a_service_waits(world: World) -> None:
    """Update to version 2 while a service waits for the gate; it starts after the run."""
    world.services.change("web.service", active="activating", sub="start-pre")
    world.deploy(2)
    world.services.start("web.service")
    confirm_unit.confirm(world.app)


def roll_back_while_a_service_waits(world: World) -> None:
    """The same, but version 2 does not run."""
    world.services.bad = {commit(2)}
    update_while_a_service_waits(world)


def deployed_with_copies(world: World) -> None:
    """Make a world with version 1, where shared files are copied before each switch from now on."""
    deployed(world)
    world.settings = settings(world.root, shared_snapshot=["state/*.duckdb"])


def roll_back_by_hand(world: World) -> None:
    """Roll back to version 1 by hand."""
    world.roll_back(world.release_of(1))


def run(world: World) -> None:
    """Do what the timer does."""
    world.run()


def update_with_a_mirror_damaged_at(use: int) -> Scenario:
    """Update to version 2; the mirror is damaged at one of its uses."""

    def scenario(world: World) -> None:
        world.worker.damage = use
        world.deploy(2)

    return scenario


def nothing(world: World) -> None:
    """Leave the world with nothing deployed."""


class Case(NamedTuple):
    """A scenario, what precedes it, what follows the kill, and the commits it may end at."""

    before: Scenario
    scenario: Scenario
    after: Scenario
    ends: set[str]
    around: str = ""
    """If only a part of the scenario is tested: the effect in the middle of that part."""


NEAR = 12
UPDATED, KEPT = {commit(2)}, {commit(1)}
SCENARIOS = {
    "first deployment": Case(nothing, update_to_2, update_to_2, UPDATED),
    "update": Case(deployed, update_to_2, update_to_2, UPDATED),
    "build fails": Case(deployed, fail_to_build_2, fail_to_build_2, KEPT),
    "roll back": Case(deployed, roll_back_from_2, roll_back_from_2, KEPT),
    "a service waits": Case(
        deployed, update_while_a_service_waits, update_while_a_service_waits, UPDATED
    ),
    "a service waits, roll back": Case(
        deployed, roll_back_while_a_service_waits, roll_back_while_a_service_waits, KEPT
    ),
    "roll back by hand": Case(deployed_twice, roll_back_by_hand, roll_back_by_hand, KEPT),
    "roll back by hand, then a run": Case(deployed_twice, roll_back_by_hand, run, UPDATED | KEPT),
    "copies of shared files": Case(deployed_with_copies, update_to_2, update_to_2, UPDATED),
    "copies of shared files, roll back": Case(
        deployed_with_copies, roll_back_from_2, roll_back_from_2, KEPT
    ),
    **{
        f"mirror damaged at {name}": Case(deployed, scenario, scenario, UPDATED, "renew_mirror")
        for name, scenario in (
            ("the fetch", update_with_a_mirror_damaged_at(1)),
            ("the inspection", update_with_a_mirror_damaged_at(2)),
            ("the check out", update_with_a_mirror_damaged_at(3)),
            ("the stash", update_with_a_mirror_damaged_at(4)),
        )
    },
}


def begin(root: Path, before: Scenario) -> World:
    """Make a world and count from the end of its preparation."""
    world = World(root)
    before(world)
    world.revive()
    GUARD.before_change = world.effect
    return world


def count_effects(root: Path, before: Scenario, scenario: Scenario) -> list[str]:
    """Return the effects of a scenario that nobody kills."""
    world = begin(root, before)
    scenario(world)
    GUARD.before_change = None
    world.assert_whole()
    world.close()
    return list(world.effect_names)


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_before_each_effect(tmp_path: Path, name: str) -> None:
    before, scenario, after, ends, around = SCENARIOS[name]
    effects = count_effects(tmp_path / "0", before, scenario)
    assert len(effects) > 30, effects
    middle = effects.index(around) if around else 0
    for number, effect in enumerate(effects, 1):
        if around and abs(number - middle) > NEAR:
            continue
        world = begin(tmp_path / str(number), before)
        world.die_at = number
        with pytest.raises(Killed):
            scenario(world)
        GUARD.before_change = None
        world.revive()
        try:
            after(world)
            world.assert_whole()
            assert world.current_commit() in ends
            assert {unit.active for unit in world.services.units.values()} == {"active"}
            left = world.current_commit() == commit(1)
            assert [item.commit for item in world.records.quarantined()] == [commit(2)] * left
            # What is left now must not stop the next update.
            world.services.bad = set()
            world.worker.faults.clear()
            assert world.deploy(3).result == Result.UPDATED
            world.assert_whole()
            assert world.current_commit() == commit(3)
            assert world.previous_commit() in ends
            assert world.snapshots.taken == {}
        except BaseException as error:
            error.add_note(f"killed before effect {number} of {len(effects)}: {effect}")
            raise
        world.close()


def test_killed_twice(tmp_path: Path) -> None:
    """The recovery is killed, too, before each of its effects."""
    effects = count_effects(tmp_path / "0", deployed, roll_back_from_2)
    for number in [number for number, effect in enumerate(effects, 1) if effect == "restart"]:
        second = 0
        while True:
            second += 1
            world = begin(tmp_path / f"{number}-{second}", deployed)
            for die_at in (number, second):
                world.die_at = die_at
                GUARD.before_change = world.effect
                try:
                    roll_back_from_2(world)
                except Killed:
                    world.revive()
                    continue
                break
            died_in_recovery = world.die_at == 0
            GUARD.before_change = None
            world.revive()
            try:
                roll_back_from_2(world)
                world.assert_whole()
                assert world.current_commit() == commit(1)
            except BaseException as error:
                error.add_note(f"killed before effect {number}, then before effect {second}")
                raise
            world.close()
            if not died_in_recovery or second >= 60:
                break


def deployed_with_little_space(world: World) -> None:
    """Make a world whose next update removes the oldest release, and with it an environment."""
    os.makedirs(world.paths.environments)
    world.settings = settings(world.root, keep=2)
    deployed(world)
    world.worker.key = "f" * 24
    world.deploy(2)


def update_to_3(world: World) -> None:
    """Update to version 3."""
    world.deploy(3)


def test_killed_while_an_old_release_is_removed(tmp_path: Path) -> None:
    effects = count_effects(tmp_path / "0", deployed_with_little_space, update_to_3)
    assert effects.count("remove") == effects.count("tidy") == 1
    for number in range(effects.index("remove"), len(effects) + 1):
        world = begin(tmp_path / str(number), deployed_with_little_space)
        world.die_at = number
        with pytest.raises(Killed):
            update_to_3(world)
        GUARD.before_change = None
        world.revive()
        world.run()
        try:
            world.assert_whole()
            assert os.listdir(world.paths.environments) == ["f" * 24]
        except BaseException as error:
            error.add_note(f"killed before effect {number}: {effects[number - 1]}")
            raise
        world.close()


def test_services_that_failed_with_the_run_are_restarted_once(world: World) -> None:
    """What ended the run, such as a full disk, may have ended the services, too."""
    world.deploy(1)
    world.upstream = commit(2)
    world.clock.at_time.append((world.clock.seconds + 1, lambda: die_with_services(world)))
    with pytest.raises(Killed):
        world.run()
    world.revive()
    assert world.run().result is Result.CURRENT
    assert world.current_commit() == commit(2)
    assert world.records.quarantined() == []
    world.assert_whole()


def die_with_services(world: World) -> None:
    """Make all services fail, and kill the run."""
    for name in SERVICES:
        world.services.change(name, active="failed", sub="failed", result="exit-code")
    world.die_at = world.effects + 1


def test_what_cannot_be_removed_does_not_stop_anything(world: World) -> None:
    world.deploy(1)
    stray = Path(world.paths.release("20260101T000000Z-000000000000"))
    stray.mkdir()
    world.worker.faults["remove"] = HostFaultError("Operation not permitted")
    world.worker.faults["tidy"] = HostFaultError("Operation not permitted")
    assert world.deploy(2).result is Result.UPDATED
    logged = " ".join(event.message for event in world.log.events)
    assert f"release {stray.name} could not be removed: Operation not permitted" in logged
    assert "unused environments could not be removed: Operation not permitted" in logged
    world.worker.faults.clear()
    assert world.run().result is Result.CURRENT
    assert not stray.exists()
