"""One update from the check to its end, with made-up effects."""

import os
import shutil
from pathlib import Path

import pytest

from autoupdate.config.run_from import DEFAULT_APP
from autoupdate.gates.attempts import stuck
from autoupdate.host import runtime_files
from autoupdate.model.commits import short
from autoupdate.model.errors import (
    AutoupdateError,
    BusyError,
    ConfigurationError,
    Exit,
    UnreachableError,
    UpdateFailedError,
)
from autoupdate.model.events import STASHED, UPDATED
from autoupdate.model.steps import Result, Step
from autoupdate.model.track import Found
from autoupdate.update.run import one_run
from tests.unit.effects import SERVICES, commit
from tests.unit.fake_worker import KEY
from tests.unit.world import World, settings


def test_first_deployment(world: World) -> None:
    outcome = world.run()
    assert (outcome.result, outcome.exit_code) == (Result.UPDATED, Exit.DONE)
    assert world.current_commit() == commit(1)
    assert world.previous_commit() == ""
    assert os.readlink(world.settings.path) == world.paths.current
    assert world.services.restarts == [SERVICES]
    assert "save_local_changes" not in world.worker.calls
    world.assert_whole()


def test_nothing_new_does_nothing(world: World) -> None:
    world.deploy(1)
    before = os.stat(world.paths.current, follow_symlinks=False)
    world.worker.calls.clear()
    world.services.restarts.clear()
    outcome = world.run()
    assert (outcome.result, outcome.exit_code) == (Result.CURRENT, Exit.DONE)
    assert world.worker.calls == []
    assert world.services.restarts == []
    assert os.stat(world.paths.current, follow_symlinks=False) == before
    assert len(world.records.history(10)) == 1


def test_new_commit(world: World) -> None:
    world.deploy(1)
    outcome = world.deploy(2)
    assert outcome.result is Result.UPDATED
    assert (world.current_commit(), world.previous_commit()) == (commit(2), commit(1))
    assert world.services.runs == dict.fromkeys(SERVICES, commit(2))
    logged = [event.message for event in world.log.events if event.kind == UPDATED]
    assert logged[-1] == f"Successfully updated to commit: {commit(2)}"
    world.assert_whole()


def test_branch_moved_between_check_and_fetch(world: World) -> None:
    world.deploy(1)
    world.upstream, world.upstream_now = commit(2), commit(3)
    assert world.run().commit == commit(3)
    assert world.current_commit() == commit(3)
    candidate = world.records.candidate()
    assert candidate is not None
    assert candidate.commit == commit(3)
    world.upstream = commit(3)
    assert world.run().result is Result.CURRENT


def test_branch_moved_back_to_the_deployed_commit(world: World) -> None:
    world.deploy(1)
    world.upstream, world.upstream_now = commit(2), commit(1)
    assert world.run().result is Result.CURRENT
    assert world.worker.calls.count("build") == 1
    world.assert_whole()


@pytest.mark.parametrize("step", ["check_out", "build", "save_local_changes"])
def test_failure_before_the_switch(world: World, step: str) -> None:
    world.deploy(1)
    services = dict(world.services.units)
    world.worker.faults[step] = UpdateFailedError("no such requirement", "correct it")
    outcome = world.deploy(2)
    assert (outcome.result, outcome.exit_code) == (Result.FAILED, Exit.FAILED)
    release = f"release {world.release_of(1)} is kept"
    for words in ("ipfs-accelerate", short(commit(2)), "no such requirement", release):
        assert words in outcome.reason
    assert outcome.advice == "correct it"
    assert world.current_commit() == commit(1)
    assert world.services.units == services, "the services were not touched"
    assert [item.commit for item in world.records.quarantined()] == [commit(2)]
    assert world.releases_on_disk() == world.known_releases()
    world.assert_whole()


def test_failed_commit_is_not_tried_again_until_forced(world: World) -> None:
    world.deploy(1)
    world.worker.faults["build"] = UpdateFailedError("broken")
    world.deploy(2)
    world.worker.faults.clear()
    again = world.run()
    assert (again.result, again.exit_code) == (Result.DEFERRED, Exit.DONE)
    assert "quarantine" in again.reason
    assert "--force" in again.advice
    assert world.run(force=True).result is Result.UPDATED
    assert world.current_commit() == commit(2)
    assert world.records.quarantined() == []


def test_upstream_unreachable(world: World) -> None:
    world.deploy(1)
    world.check_fault = UnreachableError("upstream did not answer")
    outcome = world.deploy(2)
    assert (outcome.result, outcome.exit_code) == (Result.UNREACHABLE, Exit.UNREACHABLE)
    assert world.records.quarantined() == []
    last = world.records.last_run()
    assert last is not None
    assert last.exit_code == Exit.UNREACHABLE


def test_upstream_lost_while_fetching(world: World) -> None:
    world.deploy(1)
    world.worker.faults["fetch"] = UnreachableError("connection reset")
    assert world.deploy(2).exit_code == Exit.UNREACHABLE
    assert world.records.quarantined() == []
    world.worker.faults.clear()
    world.clock.seconds += 60
    assert world.run().result is Result.UPDATED


@pytest.mark.parametrize("obstacle", ["directory", "file", "link"])
def test_something_else_at_the_path(world: World, obstacle: str) -> None:
    path = Path(world.settings.path)
    if obstacle == "directory":
        path.mkdir()
    elif obstacle == "file":
        path.touch()
    else:
        path.symlink_to("/nowhere")
    outcome = world.run()
    assert (outcome.result, outcome.exit_code) == (Result.REFUSED, Exit.USAGE)
    assert world.settings.path in outcome.reason
    assert world.worker.calls == []
    assert not os.path.lexists(world.paths.current)


def test_release_that_does_not_run_is_rolled_back(world: World) -> None:
    world.deploy(1)
    world.services.bad = {commit(2)}
    outcome = world.deploy(2)
    assert (outcome.result, outcome.exit_code) == (Result.ROLLED_BACK, Exit.FAILED)
    assert world.current_commit() == commit(1)
    assert world.services.runs == dict.fromkeys(SERVICES, commit(1))
    assert {service.active for service in world.services.units.values()} == {"active"}
    quarantined = world.records.quarantined()
    assert [(item.commit, item.step) for item in quarantined] == [(commit(2), Step.PROBATION)]
    assert "web.service failed" in quarantined[0].reason
    assert world.run().result is Result.DEFERRED
    world.assert_whole()


def test_service_that_crashes_during_the_soak(world: World) -> None:
    world.deploy(1)

    def crash() -> None:
        if world.current_commit() == commit(2):
            world.services.change("api.service", active="activating", sub="auto-restart")

    world.clock.at_time = [(world.clock.seconds + moment / 4, crash) for moment in range(400)]
    assert world.deploy(2).result is Result.ROLLED_BACK
    assert world.current_commit() == commit(1)


def test_release_to_roll_back_to_is_gone(world: World) -> None:
    """An older release is better than one that does not run."""
    world.deploy(1)
    world.deploy(2)
    lost = os.path.realpath(world.paths.current)

    def crash() -> None:
        if world.current_commit() == commit(3):
            shutil.rmtree(lost, ignore_errors=True)
            world.services.change("api.service", active="activating", sub="auto-restart")

    world.clock.at_time = [(world.clock.seconds + moment / 4, crash) for moment in range(400)]
    assert world.deploy(3).result is Result.ROLLED_BACK
    assert world.current_commit() == commit(1)
    assert world.previous_commit() == ""


def test_neither_the_new_nor_the_old_release_runs(world: World) -> None:
    world.deploy(1)
    world.services.bad = {commit(1), commit(2)}
    outcome = world.deploy(2)
    assert (outcome.result, outcome.exit_code) == (Result.BROKEN, Exit.BROKEN)
    assert "manual action needed" in outcome.reason
    assert world.current_commit() == commit(1)
    assert world.records.unfinished() is None
    assert "the commit is not put into quarantine" in outcome.reason, "both fail in the same way"
    assert world.records.quarantined() == []
    assert stuck(world.records) == "", "services are not kept down for it"
    # What is the matter has nothing to do with the commit, and ends.
    world.services.bad = set()
    assert world.run().result is Result.UPDATED
    assert world.current_commit() == commit(2)


def test_host_on_which_no_release_runs_is_not_restarted_all_the_time(world: World) -> None:
    """Each start of a service begins a run; the waits between attempts grow all the same."""
    world.deploy(1)
    world.services.bad = {commit(1), commit(2)}
    world.deploy(2)
    with runtime_files.request(world.paths, runtime_files.UPDATE):
        results = []
        for _ in range(20):
            results.append(world.run().result)
            world.clock.seconds += 50
    assert results.count(Result.BROKEN) < 10
    assert Result.DEFERRED in results


def test_first_release_that_does_not_run_cannot_be_rolled_back(world: World) -> None:
    world.services.bad = {commit(1)}
    outcome = world.run()
    assert (outcome.result, outcome.exit_code) == (Result.BROKEN, Exit.BROKEN)
    assert "there is no release to roll back to" in outcome.reason
    assert "manual action needed" in outcome.reason
    world.services.bad = set()
    assert world.deploy(2).result is Result.UPDATED
    world.assert_whole()


def test_refused_restart_rolls_back(world: World) -> None:
    world.deploy(1)
    world.services.refuse_restart = "web.service cannot be restarted: it is masked"
    outcome = world.deploy(2)
    assert outcome.exit_code == Exit.BROKEN
    assert "it is masked" in outcome.reason
    assert world.current_commit() == commit(1)


def test_interpreter_of_the_host_changed(world: World) -> None:
    """After an upgrade of Debian, the current commit is built again for the new interpreter."""
    world.deploy(1)
    other = world.root / "python3.13"
    other.touch()
    world.settings = settings(world.root, build__python=str(other))
    assert world.run().result is Result.UPDATED
    assert world.current_commit() == commit(1)
    assert len(world.known_releases()) == 2
    assert world.run().result is Result.CURRENT
    world.assert_whole()


def test_release_without_its_environment_is_built_again(world: World) -> None:
    world.deploy(1)
    Path(world.paths.current, ".venv/bin/python").unlink()
    assert world.run().result is Result.UPDATED
    world.assert_whole()


def test_local_changes_are_named(world: World) -> None:
    world.deploy(1)
    world.worker.local_changes = tuple(f"file{number}" for number in range(8))
    world.deploy(2)
    (logged,) = [event.message for event in world.log.events if event.kind == STASHED]
    assert "file0" in logged
    assert "and 3 more" in logged
    assert "stash list" in logged


def test_keep_and_the_linked_releases(world: World) -> None:
    world.settings = settings(world.root, keep=3)
    for number in range(1, 7):
        world.deploy(number)
    commits = [release.commit for release in world.records.releases()]
    assert commits == [commit(4), commit(5), commit(6)]
    assert world.releases_on_disk() == world.known_releases()
    assert world.worker.environments == {KEY}


def test_keep_one_keeps_current_and_previous(world: World) -> None:
    world.settings = settings(world.root, keep=1)
    for number in range(1, 4):
        world.deploy(number)
    assert (world.current_commit(), world.previous_commit()) == (commit(3), commit(2))
    assert len(world.releases_on_disk()) == 2


def test_previous_after_a_rollback_is_older_than_current(world: World) -> None:
    world.deploy(1)
    world.deploy(2)
    world.services.bad = {commit(3)}
    world.deploy(3)
    assert (world.current_commit(), world.previous_commit()) == (commit(2), commit(1))


def test_two_runs_at_once(world: World) -> None:
    with (
        runtime_files.exclusive(world.paths, "ipfs-accelerate", wait=False),
        pytest.raises(BusyError) as caught,
    ):
        world.run()
    assert caught.value.exit_code == Exit.BUSY
    assert str(os.getpid()) in caught.value.message


def test_run_for_a_start_relies_on_a_fresh_check(world: World) -> None:
    world.deploy(1)
    world.effect_names.clear()
    with runtime_files.request(world.paths, runtime_files.UPDATE):
        assert world.run().result is Result.CURRENT
    assert "check" not in world.effect_names
    # No start waits now: a run by the timer checks upstream.
    world.run()
    assert "check" in world.effect_names


def test_run_for_a_start_without_update_does_not_check_upstream(world: World) -> None:
    world.deploy(1)
    runtime_files.set_stale(world.paths)
    world.effect_names.clear()
    world.upstream = commit(2)
    with runtime_files.request(world.paths, runtime_files.RECOVER):
        assert world.run().result is Result.CURRENT
    assert "check" not in world.effect_names


@pytest.mark.parametrize(
    ("fault", "fresh"),
    [(None, True), (UnreachableError("down"), False), (UpdateFailedError("broken"), False)],
)
def test_freshness(world: World, fault: AutoupdateError | None, fresh: bool) -> None:
    world.check_fault = fault
    world.run()
    assert runtime_files.is_fresh(world.paths) is fresh


def test_commit_that_cannot_be_built_blocks_starts(world: World) -> None:
    """The commit is not tried again, but `block` must still block."""
    world.deploy(1)
    world.worker.faults["build"] = UpdateFailedError("broken")
    world.deploy(2)
    assert world.run().exit_code == Exit.DONE
    assert not runtime_files.is_fresh(world.paths)


def test_unexpected_operating_system_error_is_an_outcome(world: World) -> None:
    def check_fails(_: object) -> Found:
        raise OSError(28, "No space left on device", "/var/lib/autoupdate")

    outcome = one_run(world.app._replace(ask_upstream=check_fails), wait=False)
    assert outcome.exit_code == Exit.FAILED
    assert "No space left on device" in outcome.reason


def test_missing_branch(world: World) -> None:
    world.deploy(1)
    world.check_fault = ConfigurationError("upstream has no branch x")
    assert world.run().exit_code == Exit.USAGE
    assert world.current_commit() == commit(1)


def test_settings_of_the_world_are_those_of_the_package(world: World) -> None:
    assert world.settings.app == DEFAULT_APP
