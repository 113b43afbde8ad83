"""rollback: the administrator rolls back to another release."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from autoupdate.cli.main import main
from autoupdate.cli.verbs.rollback import named
from autoupdate.host import runtime_files
from autoupdate.model.commits import short
from autoupdate.model.errors import ConfigurationError, Exit, UpdateFailedError
from autoupdate.model.steps import Result, Step
from autoupdate.records.rows import BY_HAND
from tests.unit.conftest import Journal
from tests.unit.effects import APP, SERVICES, Killed, commit
from tests.unit.world import World, settings


@pytest.fixture
def thrice(world: World) -> World:
    """Return a world in which versions 1, 2 and 3 were deployed, one after the other."""
    for number in (1, 2, 3):
        assert world.deploy(number).result is Result.UPDATED
    world.services.restarts.clear()
    return world


def quarantined(world: World) -> list[str]:
    """Return the commits that are in quarantine."""
    return [item.commit for item in world.records.quarantined()]


def test_to_the_previous_release(thrice: World) -> None:
    outcome = thrice.roll_back()
    assert (outcome.result, outcome.exit_code) == (Result.ROLLED_BACK, Exit.DONE)
    assert f"from commit {short(commit(3))} to {short(commit(2))}: {BY_HAND}" in outcome.reason
    assert (thrice.current_commit(), thrice.previous_commit()) == (commit(2), commit(1))
    assert thrice.services.restarts == [SERVICES]
    assert quarantined(thrice) == [commit(3)]
    assert "fetch" not in thrice.worker.calls[-3:], "upstream may be unreachable"
    (past,) = thrice.records.history(1)
    assert (past.trigger, past.step, past.exit_code) == ("rollback", Step.ROLL_BACK, Exit.DONE)
    # The next run does not deploy the same commit again; its release is kept.
    assert thrice.run().result is Result.DEFERRED
    assert thrice.release_of(3) in thrice.releases_on_disk()
    assert thrice.deploy(4).result is Result.UPDATED
    thrice.assert_whole()


def test_after_a_switch_that_failed(thrice: World) -> None:
    """The first of its two links was already switched; the second could not be written."""
    in_the_way = Path(f"{thrice.paths.current}.new")
    in_the_way.mkdir()
    outcome = thrice.deploy(4)
    assert outcome.exit_code == Exit.FAILED
    assert "the switch failed" in outcome.reason
    in_the_way.rmdir()
    assert thrice.roll_back().exit_code == Exit.DONE
    assert (thrice.current_commit(), thrice.previous_commit()) == (commit(2), commit(1))
    thrice.assert_whole()


def test_to_a_named_release_and_forward_again(thrice: World) -> None:
    assert thrice.roll_back(thrice.release_of(1)).exit_code == Exit.DONE
    assert (thrice.current_commit(), thrice.previous_commit()) == (commit(1), "")
    assert thrice.roll_back(thrice.release_of(3)).exit_code == Exit.DONE
    assert (thrice.current_commit(), thrice.previous_commit()) == (commit(3), commit(2))
    # The commit of a release that was chosen by hand leaves the quarantine.
    assert quarantined(thrice) == [commit(1)]
    assert thrice.run().result is Result.CURRENT
    thrice.assert_whole()


def test_to_another_build_of_the_same_commit(world: World) -> None:
    """After an upgrade of the host: the commit is not bad."""
    world.deploy(1)
    other = world.root / "python3.13"
    other.touch()
    world.settings = settings(world.root, build__python=str(other))
    world.run()
    before = world.worker.calls.count("build")
    world.settings = settings(world.root)
    assert world.roll_back().exit_code == Exit.DONE
    assert quarantined(world) == []
    assert world.run().result is Result.CURRENT
    assert world.worker.calls.count("build") == before


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("20000101T000000Z-aaaaaaaaaaaa", "release 20000101T000000Z-aaaaaaaaaaaa does not exist"),
        ("current", "is already the current one"),
        ("without environment", "does not exist or is not complete"),
        ("of another Python", "needs a Python that is not installed"),
    ],
)
def test_impossible(thrice: World, wanted: str, said: str) -> None:
    if wanted == "current":
        wanted = thrice.release_of(3)
    elif wanted == "without environment":
        wanted = thrice.release_of(1)
        Path(thrice.paths.release(wanted), ".venv/bin/python").unlink()
    elif wanted == "of another Python":
        # As after an upgrade of the host: the link points to what has this name now.
        wanted = thrice.release_of(1)
        python = Path(thrice.paths.release(wanted), ".venv/bin/python")
        python.unlink()
        python.symlink_to(thrice.root)
    outcome = thrice.roll_back(wanted)
    assert (outcome.result, outcome.exit_code) == (Result.REFUSED, Exit.USAGE)
    assert said in outcome.reason
    assert thrice.release_of(2) in outcome.advice
    assert (thrice.services.restarts, quarantined(thrice)) == ([], [])
    assert len(thrice.records.history(9)) == 3


@pytest.mark.parametrize("deployed", [0, 1])
def test_no_release_to_roll_back_to(world: World, deployed: int) -> None:
    for number in range(deployed):
        world.deploy(number + 1)
    outcome = world.roll_back()
    assert outcome.exit_code == Exit.USAGE
    assert "there is no previous release to roll back to" in outcome.reason
    assert outcome.advice == "there is no other release"


def test_previous_release_that_is_gone(thrice: World) -> None:
    shutil.rmtree(thrice.paths.release(thrice.release_of(2)))
    outcome = thrice.roll_back()
    assert outcome.exit_code == Exit.USAGE
    assert "the previous one," in outcome.reason
    assert outcome.advice == f"you can roll back to: {thrice.release_of(1)}"
    assert thrice.current_commit() == commit(3)


def test_release_that_no_longer_runs(thrice: World) -> None:
    thrice.services.bad = {commit(2)}
    outcome = thrice.roll_back()
    assert (outcome.result, outcome.exit_code) == (Result.BROKEN, Exit.BROKEN)
    for words in (BY_HAND, "web.service failed", "manual action needed"):
        assert words in outcome.reason
    # Both faults are reported, and nothing else is changed.
    assert len(thrice.services.restarts) == 1
    assert thrice.current_commit() == commit(2)
    assert thrice.records.unfinished() is None
    # The administrator can roll back to another release.
    assert thrice.roll_back(thrice.release_of(1)).exit_code == Exit.DONE
    thrice.assert_whole()


def test_stopped_services_are_not_started(thrice: World) -> None:
    thrice.services.change("api.service", active="inactive", sub="dead")
    assert thrice.roll_back().exit_code == Exit.DONE
    assert thrice.services.restarts == [("web.service", "worker.service")]


def test_a_rollback_that_was_interrupted_is_not_done_twice(thrice: World) -> None:
    """Somebody who types the same again after a power cut means the same release."""
    thrice.die_at = thrice.effects + effects_until("restart", thrice, World.roll_back)
    with pytest.raises(Killed):
        thrice.roll_back()
    thrice.revive()
    outcome = thrice.roll_back()
    assert (outcome.result, outcome.exit_code) == (Result.ROLLED_BACK, Exit.DONE)
    assert thrice.current_commit() == commit(2)
    assert quarantined(thrice) == [commit(3)]
    thrice.assert_whole()


def effects_until(name: str, world: World, action: Callable[[World], object]) -> int:
    """Return the number of the first effect with this name, counted in another world."""
    copy = World(world.root / "copy")
    for number in (1, 2, 3):
        copy.deploy(number)
    copy.effect_names.clear()
    action(copy)
    copy.close()
    return copy.effect_names.index(name) + 1


def test_update_that_died_before_the_switch_is_not_rolled_back(thrice: World) -> None:
    """Its release was never current: the administrator means the one that runs."""
    thrice.records.begin("timer", commit(4), thrice.release_of(3), "2099-01-01T01:00:00Z")
    assert thrice.roll_back().exit_code == Exit.DONE
    assert thrice.current_commit() == commit(2)


def test_update_that_died_on_probation_and_does_not_run(thrice: World) -> None:
    """Recovery rolls back by itself, which is what was asked for."""
    thrice.services.bad = {commit(4)}
    thrice.die_at = thrice.effects + effects_until("restart", thrice, lambda it: it.deploy(4))
    with pytest.raises(Killed):
        thrice.deploy(4)
    thrice.revive()
    outcome = thrice.roll_back()
    assert (outcome.result, outcome.exit_code) == (Result.ROLLED_BACK, Exit.DONE)
    assert thrice.current_commit() == commit(3)
    thrice.assert_whole()


def test_release_whose_probation_waits_for_a_service(thrice: World) -> None:
    """Nothing is rolled back, and this must not look like a success."""
    thrice.services.change("web.service", active="activating", sub="start-pre")
    thrice.deploy(4)
    outcome = thrice.roll_back()
    assert outcome.exit_code == Exit.FAILED
    assert "on probation" in outcome.reason
    assert "rollback" in outcome.advice
    assert thrice.current_commit() == commit(4)


def test_services_do_not_rely_on_an_old_check(thrice: World) -> None:
    assert runtime_files.is_fresh(thrice.paths)
    thrice.services.bad = {commit(2)}
    thrice.roll_back()
    assert not runtime_files.is_fresh(thrice.paths)


def test_second_copy_has_the_quarantine(thrice: World) -> None:
    thrice.roll_back()
    with open(f"{thrice.paths.home}/facts.json", encoding="utf-8") as stream:
        facts = json.load(stream)
    assert [item["commit"] for item in facts["quarantine"]] == [commit(3)]
    assert {item["id"] for item in facts["releases"]} == thrice.known_releases()


def test_failed_builds_do_not_change_the_previous_release(thrice: World) -> None:
    thrice.worker.faults["build"] = UpdateFailedError("broken")
    thrice.deploy(4)
    assert thrice.roll_back().exit_code == Exit.DONE
    assert os.path.basename(os.readlink(thrice.paths.current)) == thrice.release_of(2)


def test_release_is_named_as_show_takes_it(thrice: World) -> None:
    first = thrice.release_of(1)
    assert named(thrice.app, "") == named(thrice.app, "previous") == ""
    for word in (first, first[:-3], commit(1), commit(1)[:12], commit(1).upper()):
        assert named(thrice.app, word) == first
    assert named(thrice.app, "current") == thrice.release_of(3)
    with pytest.raises(ConfigurationError, match="more than one release matches"):
        named(thrice.app, first[:4])
    # A commit that was built twice: the newer release.
    again = thrice.records.release(first)
    assert again
    thrice.records.add_release(again._replace(id=f"{first}x"))
    assert named(thrice.app, commit(1)) == f"{first}x"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("8426bb3", "no release matches 8426bb3"),
        ("20261125T044822Z", "no release matches 20261125T044822Z"),
        ("nosuch", "nosuch is neither an app nor a release"),
        ("", "an argument is empty"),
    ],
)
def test_word_that_is_neither_an_app_nor_a_release(
    thrice: World, word: str, said: str, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(thrice.all_paths.etc, "apps", f"{APP}.toml")
    file.parent.mkdir(parents=True)
    file.write_text(f'path = "{thrice.settings.path}"\n[upstream]\nurl = "https://x/y"\n')
    assert main(["rollback", word], thrice.all_paths) == Exit.USAGE
    printed = capsys.readouterr().err
    assert said in printed
    assert "autoupdatectl history" in printed or thrice.release_of(1) in printed
    assert journal.entries == []
