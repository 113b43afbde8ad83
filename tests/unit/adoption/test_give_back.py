"""A managed app is given back as a plain checkout: nothing is lost, also when it is killed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from autoupdate.adoption import relocation
from autoupdate.adoption.change_over import done, timer_of
from autoupdate.adoption.give_back import give_back
from autoupdate.adoption.manifest import Entry, manifest
from autoupdate.adoption.relocation import Journal
from autoupdate.app import Outcome
from autoupdate.model.errors import Exit, UpdateFailedError
from autoupdate.model.steps import Result
from autoupdate.update.run import by_hand
from tests.unit.effects import APP, Killed, commit
from tests.unit.guard import GUARD
from tests.unit.old_directory import (
    account,
    adopt_it,
    assert_path_is_there,
    assert_runs,
    old_directory,
)
from tests.unit.world import World


def adopted(root: Path) -> World:
    """Make a world with an adopted app whose services have written since."""
    world = World(root)
    old_directory(world)
    assert adopt_it(world).exit_code == Exit.DONE
    Path(world.paths.shared, "state/since").write_text("since")
    return world


def give_it_back(world: World) -> Outcome:
    """Give the app back, as autoupdatectl does."""
    app = world.app
    return by_hand(app, lambda: give_back(app, world.host_changes))


def shared(directory: str) -> dict[str, Entry]:
    """Return the contents of the shared paths, wherever they are."""
    found = manifest(directory)
    return {path: found[path] for path in found if path.startswith(("state", "data/models"))}


def test_old_updaters_are_given_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    old_directory(world)
    before = {name: entry for name, entry in account(world).items() if name[:3] != "app"}
    assert adopt_it(world).exit_code == Exit.DONE
    world.units.started.clear()
    outcome = give_it_back(world)
    now = {name: entry for name, entry in account(world).items() if name[:3] != "app"}
    assert now == before
    assert world.units.off == set()
    assert world.units.started == ["pull.timer"], "nothing updates it at this moment"
    for place in ("crontabs/barberb:2", "cron.daily/pull", "pull.service:2", "web.service:3"):
        assert place in outcome.reason
    # They are given back once: whoever disables them afterwards means it.
    assert relocation.adoption(world.paths)["legacy"] == []
    world.close()


def assert_given_back(world: World, before: dict[str, Entry]) -> None:
    """Check that the services run from a plain directory that has the shared paths in it."""
    path = world.settings.path
    assert not os.path.islink(path)
    assert shared(path) == before
    assert Path(path, ".venv/bin/python").read_text() == path
    assert shared(world.paths.shared) == {}
    assert relocation.read(world.paths) is None
    assert not os.path.exists(f"{path}.given-back")
    assert_runs(world)


def assert_still_managed(world: World, before: dict[str, Entry]) -> None:
    """Check that nothing has changed."""
    assert shared(world.paths.shared) == before
    assert relocation.read(world.paths) is None
    world.assert_whole()
    assert_runs(world)


def test_given_back_and_adopted_again(world: World, tmp_path: Path) -> None:
    old_directory(world)
    assert adopt_it(world).exit_code == Exit.DONE
    assert world.deploy(2).result == Result.UPDATED
    before = shared(world.paths.shared)

    outcome = give_it_back(world)

    assert outcome.result == Result.GIVEN_BACK, outcome.reason
    assert_given_back(world, before)
    assert world.at_path() == commit(2)
    again = Path(world.settings.path, ".git")
    again.mkdir()
    (again / "config").write_text("")
    (again / "HEAD").write_text("")
    world.worker.taken_over = world.worker.taken_over._replace(base=commit(2))
    assert adopt_it(world).exit_code == Exit.DONE
    assert shared(world.paths.shared) == before


def test_what_is_not_managed_cannot_be_given_back(world: World) -> None:
    old_directory(world)
    before = account(world)
    assert "nothing to give back" in give_it_back(world).reason
    assert account(world) == before


def test_services_that_do_not_run_from_it(tmp_path: Path) -> None:
    world = adopted(tmp_path)
    before = shared(world.paths.shared)
    world.services.bad_paths = {world.settings.path}

    outcome = give_it_back(world)

    assert outcome.result == Result.ROLLED_BACK, outcome.reason
    assert_still_managed(world, before)
    assert not os.path.exists(f"{world.settings.path}.given-back")
    assert world.records.quarantined() == []
    world.close()


def test_a_checkout_that_cannot_be_made(tmp_path: Path) -> None:
    world = adopted(tmp_path)
    before = shared(world.paths.shared)
    world.worker.faults["make_checkout"] = UpdateFailedError("no")

    assert give_it_back(world).exit_code == Exit.FAILED

    assert_still_managed(world, before)
    assert world.records.quarantined() == []
    world.worker.faults.clear()
    assert give_it_back(world).result == Result.GIVEN_BACK
    world.close()


@pytest.mark.parametrize("bad", [False, True], ids=["given back", "undone"])
def test_killed_before_each_effect(tmp_path: Path, bad: bool) -> None:
    def begin(name: str) -> World:
        world = adopted(tmp_path / name)
        world.services.bad_paths = {world.settings.path} if bad else set()
        world.revive()
        GUARD.before_change = world.effect
        return world

    world = begin("0")
    give_it_back(world)
    effects = list(world.effect_names)
    GUARD.before_change = None
    world.close()
    outcomes, begins = set(), effects.index("stop")
    for number, effect in enumerate(effects, 1):
        # Before the services stop, only our own directories and a new one are written.
        if number < begins - 12 and number % 8:
            continue
        world = begin(str(number))
        before = shared(world.paths.shared)
        world.die_at = number
        with pytest.raises(Killed):
            give_it_back(world)
        GUARD.before_change = None
        world.revive()
        try:
            assert_path_is_there(world)
            world.run()
            managed = os.path.islink(world.settings.path)
            outcomes.add(managed)
            if managed:
                assert_still_managed(world, before)
            else:
                assert_given_back(world, before)
        except BaseException as error:
            error.add_note(f"killed before effect {number} of {len(effects)}: {effect}")
            raise
        world.close()
    assert outcomes == ({True} if bad else {False, True})


def test_the_timer_is_that_of_the_app(world: World) -> None:
    world.settings = world.settings._replace(app="shop")
    journal = Journal("release-path", "/srv/shop", "", "", commit(1), "r", (), ("", ""), ())
    assert done(world.app, journal).endswith("systemctl disable --now autoupdate@shop.timer")
    assert timer_of(APP) == "autoupdate.timer"


@pytest.mark.parametrize("verb", [give_it_back, adopt_it])
def test_nothing_is_done_on_probation(world: World, verb: Callable[[World], Outcome]) -> None:
    """A service waits for this very run, so that the probation cannot end in it."""
    world.deploy(1)
    world.services.change("web.service", active="activating", sub="start-pre")
    world.deploy(2)
    assert world.records.unfinished()
    last = world.records.last_run()

    outcome = verb(world)

    assert outcome.exit_code == Exit.FAILED
    assert "is on probation, so nothing was done" in outcome.reason
    assert "autoupdatectl status" in outcome.advice
    assert world.records.last_run() == last, "it is not a run"
    assert os.path.islink(world.settings.path)
