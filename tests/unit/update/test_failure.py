"""Who is blamed for a failed update, and when it is tried again."""

import os
import shutil

import pytest

from autoupdate.gates.backoff import (
    FIRST_RETRY,
    FREE_INTERRUPTIONS,
    LONGEST_WAIT,
    retry_at,
    seconds_left,
    wait_after,
)
from autoupdate.gates.quarantine import clear
from autoupdate.host import runtime_files
from autoupdate.model.commits import short
from autoupdate.model.errors import (
    AutoupdateError,
    DamagedMirrorError,
    DependenciesFailedError,
    Exit,
    HostFaultError,
    NoSpaceError,
    UnreachableError,
    UnusableUpstreamError,
    UpdateFailedError,
)
from autoupdate.model.steps import Result, Step
from autoupdate.model.times import seconds
from autoupdate.records.database import StateError
from autoupdate.records.rows import Attempts
from tests.unit.effects import SERVICES, commit
from tests.unit.world import World

NOON = "2099-01-01T12:00:00Z"
DAY = 24 * 3600


@pytest.fixture
def deployed(world: World) -> World:
    """Return a world in which version 1 is deployed."""
    world.deploy(1)
    return world


def attempts(failed: int, interrupted: int = 0, at: str = NOON) -> Attempts:
    """Return how often version 2 could not be deployed."""
    return Attempts(commit(2), failed, interrupted, at, "because")


def test_wait_grows_up_to_a_limit() -> None:
    assert [wait_after(attempts(number)) for number in range(5)] == [0, 30, 60, 120, 240]
    assert wait_after(attempts(40)) == wait_after(attempts(5000)) == LONGEST_WAIT


def test_first_interruptions_need_no_wait() -> None:
    assert wait_after(attempts(0, FREE_INTERRUPTIONS)) == 0
    assert wait_after(attempts(0, FREE_INTERRUPTIONS + 2)) == 60
    assert wait_after(attempts(1, FREE_INTERRUPTIONS + 1)) == 60


@pytest.mark.parametrize(
    ("now", "left"),
    [
        (NOON, 30),
        ("2099-01-01T12:00:29Z", 1),
        ("2099-01-01T12:00:30Z", 0),
        ("2100-01-01T12:00:00Z", 0),
        # Somebody set the clock back: the time that is left would mean nothing.
        ("2099-01-01T11:59:59Z", 0),
        ("2098-01-01T12:00:00Z", 0),
    ],
)
def test_time_that_is_left(now: str, left: float) -> None:
    assert seconds_left(attempts(1), now) == left


@pytest.mark.parametrize(
    ("fault", "code", "quarantined"),
    [
        (UpdateFailedError("setup.py fails"), Exit.FAILED, True),
        (DependenciesFailedError("no such requirement"), Exit.FAILED, True),
        (HostFaultError("no space"), Exit.FAILED, False),
        (DamagedMirrorError("repo.git is damaged"), Exit.FAILED, False),
        (StateError("state.db cannot be written"), Exit.FAILED, False),
        (UnreachableError("connection reset"), Exit.UNREACHABLE, False),
        (UnusableUpstreamError("it is a shallow clone"), Exit.USAGE, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_who_is_blamed(
    deployed: World, fault: AutoupdateError, code: Exit, quarantined: bool
) -> None:
    deployed.worker.faults["build"] = fault
    assert deployed.deploy(2).exit_code == code
    found = [(item.commit, item.step, item.reason) for item in deployed.records.quarantined()]
    assert found == [(commit(2), Step.BUILD, fault.message)] * quarantined
    counted = deployed.records.attempts(commit(2))
    assert (counted is None) == quarantined
    if counted:
        assert (counted.failed, counted.reason) == (1, fault.message)
    deployed.assert_whole()


def fail_again(world: World) -> Result:
    """Let enough time pass for another attempt."""
    world.clock.seconds += LONGEST_WAIT
    return world.run().result


def test_host_that_fails_again_and_again(deployed: World) -> None:
    """A commit that always kills its build looks like a fault of the host."""
    deployed.worker.faults["build"] = HostFaultError("killed by signal 9")
    deployed.deploy(2)
    results = [fail_again(deployed) for _ in range(5)]
    assert results[:4] == [Result.FAILED] * 4
    assert [item.commit for item in deployed.records.quarantined()] == [commit(2)]
    deployed.clock.seconds += FIRST_RETRY
    assert deployed.run().result is Result.DEFERRED, "it failed twice since it is in quarantine"


def test_what_cannot_be_built_is_tried_again_at_growing_intervals(deployed: World) -> None:
    """The index, or a tool of the build, may be better by then; nothing is held for ever."""
    deployed.worker.faults["build"] = DependenciesFailedError("no such requirement")
    deployed.deploy(2)
    hours = []
    for _ in range(7):
        outcome = deployed.run()
        assert outcome.result is Result.DEFERRED
        (item,) = deployed.records.quarantined()
        assert f"it is tried again at {retry_at(item)}" in outcome.reason
        waited = seconds(retry_at(item)) - seconds(deployed.clock.now())
        deployed.clock.seconds += waited - 30
        assert deployed.run().result is Result.DEFERRED
        deployed.clock.seconds += 31
        assert deployed.run().result is Result.FAILED
        hours.append(round(waited / 3600))
    assert hours == [1, 2, 4, 8, 16, 24, 24]
    assert item.since < item.last_at, "it is known since when it fails"
    deployed.worker.faults.clear()
    deployed.clock.seconds += DAY + 60
    assert deployed.run().result is Result.UPDATED
    assert deployed.records.quarantined() == []


@pytest.mark.parametrize("step", ["rehearse", "probation"])
def test_what_ran_and_failed_stays_in_quarantine(deployed: World, step: str) -> None:
    if step == "rehearse":
        deployed.worker.faults["rehearse"] = UpdateFailedError("a command fails")
    else:
        deployed.services.bad = {commit(2)}
    deployed.deploy(2)
    (item,) = deployed.records.quarantined()
    assert (item.step, retry_at(item)) == (step, "")
    deployed.clock.seconds += 30 * DAY
    assert deployed.run().result is Result.DEFERRED


def test_build_fails_again_after_trouble_with_the_network(deployed: World) -> None:
    """A retry that finds the network down waits for that, and does not count for the commit."""
    deployed.worker.faults["build"] = UpdateFailedError("setup.py fails")
    deployed.deploy(2)
    deployed.clock.seconds += FIRST_RETRY + 1
    deployed.worker.faults["build"] = UnreachableError("connection reset")
    assert deployed.run().result is Result.UNREACHABLE
    assert "is tried again in" in deployed.run().reason
    assert [item.tries for item in deployed.records.quarantined()] == [1]


def test_network_is_never_the_commits_fault(deployed: World) -> None:
    deployed.worker.faults["fetch"] = UnreachableError("connection reset")
    deployed.deploy(2)
    assert {fail_again(deployed) for _ in range(20)} == {Result.UNREACHABLE}
    assert deployed.records.quarantined() == []
    deployed.worker.faults.clear()
    assert fail_again(deployed) is Result.UPDATED
    assert deployed.records.all_attempts() == []


def test_upstream_of_the_wrong_kind_is_never_the_commits_fault(deployed: World) -> None:
    deployed.worker.faults["fetch"] = UnusableUpstreamError("it is a shallow clone")
    deployed.deploy(2)
    assert {fail_again(deployed) for _ in range(20)} == {Result.FAILED}
    assert deployed.records.quarantined() == []


def test_commit_that_failed_waits_but_a_newer_one_does_not(deployed: World) -> None:
    deployed.worker.faults["fetch"] = UnreachableError("connection reset")
    deployed.deploy(2)
    deployed.worker.calls.clear()
    waiting = deployed.run()
    assert (waiting.result, waiting.exit_code) == (Result.DEFERRED, Exit.DONE)
    for words in (short(commit(2)), "is tried again in 2", "after 1 attempt:", "connection reset"):
        assert words in waiting.reason
    assert "--force" in waiting.advice
    assert deployed.worker.calls == []
    deployed.worker.faults.clear()
    assert deployed.deploy(3).result is Result.UPDATED


def test_force_does_not_wait(deployed: World) -> None:
    deployed.worker.faults["fetch"] = UnreachableError("connection reset")
    deployed.deploy(2)
    deployed.worker.faults.clear()
    assert deployed.run(force=True).result is Result.UPDATED


@pytest.mark.parametrize("jump", [-366 * DAY, 366 * DAY])
def test_clock_that_jumps_by_a_year(deployed: World, jump: float) -> None:
    deployed.worker.faults["fetch"] = UnreachableError("connection reset")
    deployed.deploy(2)
    deployed.worker.faults.clear()
    deployed.clock.ahead = jump
    assert deployed.run().result is Result.UPDATED
    deployed.assert_whole()


def test_space_is_looked_at_before_the_build(deployed: World) -> None:
    deployed.worker.free = 70 << 20
    assert deployed.deploy(2).result is Result.UPDATED
    deployed.worker.free = 60 << 20
    outcome = deployed.deploy(3)
    assert outcome.result is Result.FAILED
    assert "64 MiB may be needed, 60 MiB are free" in outcome.reason
    assert outcome.advice
    assert deployed.worker.calls.count("build") == 2
    assert deployed.records.quarantined() == []
    deployed.assert_whole()


@pytest.fixture
def refused(deployed: World) -> World:
    """Return a world in which the dependencies of version 2 failed; version 3 has the same."""
    deployed.worker.key = "other"
    deployed.worker.faults["build"] = DependenciesFailedError("no such requirement")
    deployed.deploy(2)
    deployed.worker.faults.clear()
    deployed.worker.calls.clear()
    return deployed


def test_failed_dependencies_are_remembered_for_the_next_commits(refused: World) -> None:
    outcome = refused.deploy(3)
    assert outcome.result is Result.FAILED
    assert f"the same dependencies failed for commit {short(commit(2))} at " in outcome.reason
    assert "no such requirement" in outcome.reason
    assert outcome.advice == f"autoupdatectl quarantine clear {commit(2)}"
    assert "build" not in refused.worker.calls
    # Other dependencies are tried.
    refused.worker.key = "corrected"
    assert refused.deploy(4).result is Result.UPDATED


def test_failed_dependencies_are_tried_by_force(refused: World) -> None:
    refused.upstream = commit(3)
    assert refused.run(force=True).result is Result.UPDATED


@pytest.mark.parametrize(
    ("later", "result"),
    [
        (FIRST_RETRY - 60, Result.FAILED),
        (FIRST_RETRY + 60, Result.UPDATED),
        (-DAY, Result.UPDATED),
    ],
)
def test_failed_dependencies_are_forgotten(refused: World, later: float, result: Result) -> None:
    """The package index changes; if the clock was set back, this must not take a year."""
    refused.clock.ahead = later
    assert refused.deploy(3).result is result


def test_cleared_commit_clears_its_dependencies(refused: World) -> None:
    clear(refused.app, commit(2))
    assert refused.deploy(3).result is Result.UPDATED


def test_other_failures_are_not_recorded_for_the_dependencies(deployed: World) -> None:
    deployed.worker.faults["build"] = UpdateFailedError("setup.py fails")
    deployed.deploy(2)
    deployed.worker.faults.clear()
    assert deployed.deploy(3).result is Result.UPDATED


def test_no_space_while_services_are_watched_does_not_quarantine_the_commit(
    deployed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without space services do not run, whatever the commit is."""
    facts = os.statvfs("/")
    full = os.statvfs_result([*facts[:4], 0, *facts[5:]])
    deployed.services.bad = {commit(2)}
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda _: full)
        outcome = deployed.deploy(2)
    assert (outcome.result, outcome.exit_code) == (Result.ROLLED_BACK, Exit.FAILED)
    assert deployed.current_commit() == commit(1)
    assert deployed.records.quarantined() == []
    logged = " ".join(event.message for event in deployed.log.events)
    assert "the commit is not put into quarantine, because there is no space left" in logged
    deployed.services.bad = set()
    assert deployed.run().result is Result.UPDATED


def test_release_that_somebody_deletes_does_not_quarantine_the_commit(deployed: World) -> None:
    def delete() -> None:
        shutil.rmtree(deployed.paths.release(deployed.release_of(2)))
        deployed.services.change(SERVICES[0], active="failed", sub="failed")

    deployed.clock.at_time.append((deployed.clock.seconds + 1, delete))
    assert deployed.deploy(2).result is Result.ROLLED_BACK
    assert deployed.records.quarantined() == []
    assert deployed.run().result is Result.UPDATED
    assert deployed.current_commit() == commit(2)


def test_service_that_is_down_does_not_wait_for_long(deployed: World) -> None:
    """With `block` the service is down until the update is done: it is up in less than a minute."""
    deployed.worker.faults["fetch"] = UnreachableError("connection reset")
    for _ in range(6):
        deployed.deploy(2)
        deployed.clock.seconds += 7 * 3600
    deployed.deploy(2)
    deployed.worker.faults.clear()
    deployed.clock.seconds += 31
    assert deployed.run().result is Result.DEFERRED
    with runtime_files.request(deployed.paths, runtime_files.UPDATE):
        assert deployed.run().result is Result.UPDATED


@pytest.mark.parametrize(("freed", "blamed"), [(200, True), (3, False)])
def test_who_is_blamed_for_no_space(
    deployed: World, freed: int, blamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build, if removing its release frees most of the space; else not the build."""
    facts = os.statvfs("/")
    free = [10, 10 + freed]

    def statvfs(_: str) -> os.statvfs_result:
        return os.statvfs_result([1 << 20, 1 << 20, *facts[2:4], free.pop(0), *facts[5:]])

    deployed.worker.faults["build"] = NoSpaceError("No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", statvfs)
        patch.setattr(deployed.worker, "free", 10**12)
        outcome = deployed.deploy(2)
    assert bool(deployed.records.quarantined()) is blamed
    assert ("the build took 200 MiB" in outcome.reason) is blamed
    assert "No space left" in outcome.reason
