"""Adoption of a checkout: no byte is lost, also when it fails or is killed."""

import os
from pathlib import Path

import pytest

from autoupdate.adoption.adopt import adopt
from autoupdate.adoption.adoptable import same_place
from autoupdate.adoption.look import look
from autoupdate.adoption.manifest import Entry
from autoupdate.app import Outcome
from autoupdate.host.processes import Process
from autoupdate.model.checkout import TakenOver
from autoupdate.model.errors import Exit, UpdateFailedError
from autoupdate.model.steps import Result
from autoupdate.update.run import by_hand
from tests.unit.effects import Killed, commit
from tests.unit.guard import GUARD
from tests.unit.old_directory import (
    account,
    adopt_it,
    assert_adopted,
    assert_as_before,
    assert_path_is_there,
    assert_runs,
    kept_directories,
    old_directory,
)
from tests.unit.world import World, settings


def test_every_byte_is_kept(world: World) -> None:
    old_directory(world)
    before = account(world)
    world.worker.taken_over = TakenOver(commit(1), 0, saved=True)
    world.worker.checkout = world.worker.checkout._replace(modified=("VERSION",), modified_count=1)

    outcome = adopt_it(world)

    assert outcome.exit_code == Exit.DONE, outcome.reason
    assert_adopted(world, before)
    assert world.services.restarts == [tuple(world.services.units)]
    assert str(kept_directories(world)[0]) in outcome.reason
    assert "STASHED" in {kind.upper() for kind in world.log.kinds}
    assert world.deploy(2).result == Result.UPDATED
    world.assert_whole()


def test_the_services_do_not_run_and_everything_is_undone(world: World) -> None:
    old_directory(world)
    before = account(world)
    world.services.bad = {commit(1)}
    world.services.good_paths = {world.settings.path}

    outcome = adopt_it(world)

    assert outcome.result == Result.ROLLED_BACK, outcome.reason
    assert outcome.exit_code == Exit.FAILED
    assert_as_before(world, before)
    assert kept_directories(world) == []
    assert world.releases_on_disk() == set()
    assert world.records.quarantined() == []
    world.services.bad = set()
    assert adopt_it(world).exit_code == Exit.DONE
    assert_adopted(world, before)


def test_look_only_changes_nothing(world: World) -> None:
    path = old_directory(world)
    before = account(world)
    app = world.app

    outcome = by_hand(app, lambda: look(app, world.host_changes, str(path), leave_commits=False))

    assert outcome.exit_code == Exit.DONE
    assert_as_before(world, before)
    assert any("cron line of the old updater" in item.message for item in world.log.events)
    assert world.records.history(10) == []


def test_what_services_write_meanwhile_is_kept(world: World) -> None:
    path = old_directory(world)
    state = path / "state"
    stop = world.services.stop

    def write_at_the_end(names: list[str]) -> None:
        (state / "last words").write_text("x")
        stop(names)

    world.services.stop = write_at_the_end  # type: ignore[method-assign,assignment]
    assert adopt_it(world).exit_code == Exit.DONE
    assert Path(world.paths.shared, "state/last words").read_text() == "x"


def test_build_fails_and_nothing_was_touched(world: World) -> None:
    old_directory(world)
    before = account(world)
    world.worker.faults["build"] = UpdateFailedError("no such requirement")

    assert adopt_it(world).exit_code == Exit.FAILED

    assert_as_before(world, before)
    assert world.services.restarts == []


def refused(world: World, words: str) -> Outcome:
    """Try to adopt what cannot be adopted."""
    before = account(world)
    outcome = adopt_it(world)
    assert outcome.exit_code in (Exit.USAGE, Exit.FAILED)
    assert words in outcome.reason, outcome
    assert_as_before(world, before)
    assert world.services.restarts == []
    return outcome


def test_another_upstream_is_refused(world: World) -> None:
    old_directory(world)
    world.worker.checkout = world.worker.checkout._replace(urls=("https://other.example/a",))
    assert "upstream.url" in refused(world, "https://other.example/a").advice


def test_commits_that_upstream_lacks_are_reported(world: World) -> None:
    old_directory(world)
    world.worker.taken_over = TakenOver(commit(1), 2, saved=False)
    assert "--leave-commits" in refused(world, "2 commits").advice


def test_no_common_history_is_refused(world: World) -> None:
    old_directory(world)
    world.worker.taken_over = TakenOver("", 7, saved=False)
    refused(world, "no commit in common")


def test_a_relative_link_as_shared_path_is_refused(world: World) -> None:
    path = old_directory(world)
    (path / "logs").symlink_to("../elsewhere")
    refused(world, "relative symbolic link")


def test_a_shared_path_below_a_link_is_refused(world: World) -> None:
    path = old_directory(world)
    (path / "data").rename(path / "real")
    (path / "data").symlink_to("real")
    refused(world, "is below a symbolic link")


def test_objects_of_another_repository_are_refused(world: World) -> None:
    path = old_directory(world)
    (path / ".git/objects/info").mkdir()
    (path / ".git/objects/info/alternates").write_text("/elsewhere\n")
    refused(world, "uses Git objects of another repository")


def test_a_line_that_no_drop_in_can_remove_is_refused(world: World) -> None:
    path = old_directory(world)
    late = world.root / "etc/systemd/system/web.service.d/90-own.conf"
    late.parent.mkdir()
    late.write_text(f"[Service]\nExecStartPre={path}/scripts/auto-update.sh\n")
    assert str(late) in refused(world, "before web.service starts").advice


def test_a_path_of_another_app_is_refused(world: World) -> None:
    old_directory(world)
    world.settings = settings(world.root, path="/opt/other")
    app = world.app
    outcome = by_hand(app, lambda: adopt(app, world.host_changes, f"{world.root}/srv/app"))
    assert outcome.exit_code == Exit.USAGE
    assert f'path = "{world.root}/srv/app"' in outcome.advice


def test_an_old_updater_that_is_running_is_refused(world: World) -> None:
    path = old_directory(world)
    world.processes = [Process("7", f"/bin/sh {path}/scripts/auto-update.sh", "cron.service")]
    assert "wait" in refused(world, "the old updater is running now (process 7").advice


def test_adopting_twice_is_refused(world: World) -> None:
    old_directory(world)
    assert adopt_it(world).exit_code == Exit.DONE
    assert "is already managed by autoupdate" in adopt_it(world).reason


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.org/o/r.git", "git@example.org:o/r"),
        ("https://user:secret@example.org/o/r", "ssh://git@example.org:22/o/r.git/"),
        ("/srv/git/r.git", "/srv/git/r"),
        ("file:///srv/git/r", "/srv/git/r"),
    ],
)
def test_two_urls_of_one_repository(one: str, other: str) -> None:
    assert same_place(one) == same_place(other)


def test_two_repositories() -> None:
    assert same_place("https://example.org/o/r") != same_place("https://example.org/p/r")
    assert same_place("https://example.org/o/r") != same_place("https://example.net/o/r")


def assert_nothing_is_blocked(world: World, before: dict[str, Entry]) -> None:
    """Check that what is left over does not prevent the next steps."""
    if not os.path.islink(world.settings.path):
        assert adopt_it(world).exit_code == Exit.DONE
        assert_adopted(world, before)
    assert world.deploy(2).result == Result.UPDATED
    world.assert_whole()


NEAR = 40
"""How many effects before the services stop the first change of the host is, at the most."""


def begin(root: Path, *, bad: bool) -> World:
    """Make a world with an old directory, and count effects from here on."""
    world = World(root)
    old_directory(world)
    if bad:
        world.services.bad = {commit(1)}
        world.services.good_paths = {world.settings.path}
    world.revive()
    GUARD.before_change = world.effect
    return world


@pytest.mark.parametrize("bad", [False, True], ids=["adopted", "undone"])
def test_killed_before_each_effect(tmp_path: Path, bad: bool) -> None:
    world = begin(tmp_path / "0", bad=bad)
    adopt_it(world)
    effects = list(world.effect_names)
    GUARD.before_change = None
    world.close()
    assert len(effects) > 100, effects
    outcomes = set()
    # What comes before is the same as in a successful adoption.
    begins = effects.index("put_back") if bad else effects.index("stop")
    for number, effect in enumerate(effects, 1):
        # Before the journal exists, nothing of the host is changed: a few moments are enough.
        if number < begins - NEAR and number % 10:
            continue
        world = begin(tmp_path / str(number), bad=bad)
        before = account(world)
        world.die_at = number
        with pytest.raises(Killed):
            adopt_it(world)
        GUARD.before_change = None
        world.revive()
        try:
            assert_path_is_there(world)
            world.run()
            adopted = os.path.islink(world.settings.path)
            outcomes.add(adopted)
            if adopted:
                assert not bad
                assert_adopted(world, before)
            else:
                assert_as_before(world, before)
                world.services.bad = set()
                assert adopt_it(world).exit_code == Exit.DONE
                assert_adopted(world, before)
            assert world.deploy(2).result == Result.UPDATED
            world.assert_whole()
        except BaseException as error:
            error.add_note(f"killed before effect {number} of {len(effects)}: {effect}")
            raise
        world.close()
    assert outcomes == ({False} if bad else {False, True})


def test_killed_while_it_is_undone(tmp_path: Path) -> None:
    """The undo itself is killed before each of its effects."""
    world = begin(tmp_path / "0", bad=True)
    adopt_it(world)
    effects = list(world.effect_names)
    GUARD.before_change = None
    world.close()
    first = effects.index("put_back")
    second = 0
    while True:
        second += 1
        world = begin(tmp_path / str(second), bad=True)
        before = account(world)
        world.die_at = first
        with pytest.raises(Killed):
            adopt_it(world)
        world.revive()
        world.die_at = second
        try:
            world.run()
        except Killed:
            pass
        else:
            break
        finally:
            GUARD.before_change = None
        world.revive()
        try:
            assert_path_is_there(world)
            world.run()
            assert_as_before(world, before)
        except BaseException as error:
            error.add_note(f"killed before effect {second} of the recovery")
            raise
        world.close()
    assert second > 30
    assert_runs(world)
    world.close()
