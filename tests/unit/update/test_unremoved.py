"""A release or environment that cannot be removed: said once, tried again, named by doctor."""

import os
from pathlib import Path

import pytest

from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import Finding
from autoupdate.doctor.leftovers import leftovers
from autoupdate.model.steps import Result
from autoupdate.service_start import fast_path_writer
from autoupdate.worker import trash
from autoupdate.worker.removal import Remaining
from tests.unit.doctor.test_examine import WellHost
from tests.unit.effects import APP
from tests.unit.world import World

WHY = "something is mounted there"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world in which a release is removed at each update."""
    world = World(tmp_path, keep=2)
    world.deploy(1)
    world.deploy(2)
    return world


def said(world: World) -> list[str]:
    """Return what was said about removals."""
    return [event.message for event in world.log.events if "removed" in event.message]


def findings(world: World) -> list[Finding]:
    """Return what doctor says about leftovers."""
    case = Case(world.all_paths, world.settings, world.records, WellHost(world), "")
    return list(leftovers(case))


def test_it_is_said_once_and_tried_at_each_run(world: World) -> None:
    first = world.release_of(1)
    place = world.paths.release(first)
    world.worker.stuck = (Remaining(f"{place}/data", WHY, f"umount -R {place}/data"),) * 3
    world.deploy(3)
    (line,) = said(world)
    assert line == (
        f"{APP}: release {first} could not be removed: {place}/data: {WHY}, and 2 more in it; this"
        f" is tried again at each run, and not reported again; type: umount -R {place}/data"
    )
    assert first not in world.known_releases()
    for _ in range(3):
        world.worker.calls.clear()
        world.run()
        assert "remove" in world.worker.calls
    assert said(world) == [line]
    (finding,) = findings(world)
    assert finding.about == place
    assert finding.mend == f"umount -R {place}/data && autoupdatectl run {APP}"
    world.worker.stuck = ()
    world.run()
    assert not os.path.exists(place)
    assert findings(world) == []
    assert not os.path.exists(world.paths.unremoved)


def test_another_reason_is_said(world: World) -> None:
    place = world.paths.release(world.release_of(1))
    world.worker.stuck = (Remaining(place, WHY, ""),)
    world.deploy(3)
    world.worker.stuck = (Remaining(place, "Read-only file system", ""),)
    world.run()
    world.run()
    assert len(said(world)) == 2
    (finding,) = findings(world)
    assert finding.mend.startswith(f"rm --recursive --force --one-file-system {place} && ")


def test_environments(world: World) -> None:
    os.makedirs(world.paths.environments)
    key = "a" * 24
    os.mkdir(f"{world.paths.environments}/{key}")
    world.worker.stuck = (Remaining(f"{world.paths.environments}/{key}/x", WHY, ""),)
    world.run()
    world.run()
    (line,) = said(world)
    assert f"environment {key} could not be removed: " in line
    world.worker.stuck = ()
    world.run()
    assert not os.path.exists(world.paths.unremoved)


def test_a_list_that_is_damaged_or_removed_by_hand(world: World) -> None:
    place = world.paths.release(world.release_of(1))
    world.worker.stuck = (Remaining(place, WHY, ""),)
    world.deploy(3)
    Path(world.paths.unremoved).write_text('{"a": 1}')
    world.run()
    # Without the list it counts as an unknown release again.
    assert len(said(world)) == 3
    os.rename(place, world.root / "by-hand")
    world.run()
    assert not os.path.exists(world.paths.unremoved)


def test_the_next_run_takes_no_fast_path(world: World) -> None:
    outcome = world.run()
    app = world.app

    def leaves() -> bool:
        fast_path_writer.leave(app, outcome, world.all_paths, None, 1e12)
        return os.path.exists(world.paths.known)

    Path(world.paths.unremoved).write_text("{}")
    assert not leaves()
    os.unlink(world.paths.unremoved)
    assert leaves()


def throw_away(world: World, name: str) -> Path:
    """Put something into the trash."""
    place = Path(world.paths.trash, name)
    (place / "package").mkdir(parents=True)
    return place


def test_the_trash_is_emptied_by_a_unit_of_its_own(world: World) -> None:
    place = throw_away(world, "20260101T000000Z-0123456789ab")
    world.transient_units.starts_cleaning = True
    world.run()
    assert world.transient_units.cleanings == 1
    assert place.exists(), "the run does not wait for it"


def test_the_run_empties_it_if_no_unit_can_be_started(world: World) -> None:
    place = throw_away(world, "20260101T000000Z-0123456789ab")
    world.run()
    assert not place.exists()
    cleanings = world.transient_units.cleanings
    world.run()
    assert world.transient_units.cleanings == cleanings, "there is nothing in it any more"


def test_what_stays_in_the_trash_is_said_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = throw_away(world, "20260101T000000Z-0123456789ab")
    stuck = (Remaining(f"{place}/data", WHY, f"umount -R {place}/data"),)
    with monkeypatch.context() as patched:
        patched.setattr(trash, "remove_tree", lambda _: stuck)
        for _ in range(3):
            world.run()
    (line,) = said(world)
    assert line == (
        f"{APP}: {place.name}, which is no longer needed, could not be removed: {place}/data:"
        f" {WHY}; this is tried again at each run, and not reported again; type: umount -R"
        f" {place}/data"
    )
    (finding,) = findings(world)
    assert finding.about == str(place)
    world.run()
    assert not place.exists()
    assert findings(world) == []


def test_a_build_that_needs_the_space_empties_the_trash_first(world: World) -> None:
    place = throw_away(world, "20260101T000000Z-0123456789ab")
    world.transient_units.starts_cleaning = True
    world.worker.free = 0
    assert world.deploy(3).result is Result.FAILED
    assert not place.exists()
    assert "not enough space" in world.log.events[-1].message
