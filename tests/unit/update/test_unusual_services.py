"""Services that are masked, failed, not enabled, or stopped by hand at an unusual moment."""

import shutil
from pathlib import Path

import pytest

from autoupdate.cli import confirm_unit
from autoupdate.cli.render.status import status as words
from autoupdate.config.settings import probes as read_probes
from autoupdate.host import probes
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result, Step
from autoupdate.reports.status import status
from autoupdate.update.run import one_run
from tests.unit.effects import APP, SERVICES, Killed, commit
from tests.unit.world import World, settings


def quarantined(world: World) -> list[str]:
    """Return the commits in quarantine."""
    return [item.commit for item in world.records.quarantined()]


def shown(world: World) -> str:
    """Return the state that `status` shows."""
    return str(status(world.settings, world.paths, world.services)["state"])


def test_a_new_commit_starts_services_that_ran_on_no_release(world: World) -> None:
    world.services.bad = {commit(1)}
    assert world.deploy(1).exit_code == Exit.BROKEN
    assert shown(world) == "failed"
    # Another run does not fix it, and must not look like a success.
    assert world.run().exit_code == Exit.DONE
    assert shown(world) == "failed"
    world.services.bad = set()
    assert world.deploy(2).result is Result.UPDATED
    assert {unit.active for unit in world.services.units.values()} == {"active"}
    assert shown(world) == "current"


def test_services_that_failed_without_a_release_are_started_with_one(world: World) -> None:
    """systemd may have stopped restarting it; and a service may fail for another reason."""
    world.deploy(1)
    shutil.rmtree(world.paths.release(world.release_of(1)))
    world.services.change("web.service", active="failed", sub="failed", main_pid=0)
    world.services.broken_units = {"worker.service"}
    world.services.change("worker.service", active="failed", sub="failed", main_pid=0)
    assert world.deploy(1).result is Result.UPDATED
    assert world.services.units["web.service"].active == "active"
    assert quarantined(world) == []
    # When a release runs, a failed service is not restarted.
    world.services.broken_units = set()
    assert world.deploy(2).result is Result.UPDATED
    assert world.services.units["worker.service"].active == "failed"


def test_a_rollback_by_hand_starts_failed_services(world: World) -> None:
    world.deploy(1)
    world.deploy(2)
    world.services.change("web.service", active="failed", sub="failed", main_pid=0)
    assert world.roll_back().exit_code == Exit.DONE
    assert world.services.units["web.service"].active == "active"


def test_a_masked_service_does_not_stop_updates_of_the_others(world: World) -> None:
    world.deploy(1)
    world.services.change("worker.service", load="masked", active="inactive", sub="dead")
    assert world.deploy(2).result is Result.UPDATED
    assert world.services.runs["web.service"] == commit(2)


def test_an_interrupted_run_ends_though_its_services_cannot_start(world: World) -> None:
    world.deploy(1)
    world.settings = settings(world.root, shared_snapshot=["state/*.duckdb"])

    def take(*_: object) -> None:
        raise Killed("power cut")

    original, world.snapshots.take = world.snapshots.take, take  # type: ignore[assignment, method-assign]
    with pytest.raises(Killed):
        world.deploy(2)
    world.snapshots.take = original  # type: ignore[method-assign]
    world.revive()
    world.services.refuse_restart = "web.service cannot be restarted: Unit web.service is masked"
    one_run(world.app, wait=False)
    assert world.records.unfinished() is None


def test_what_ctrl_c_interrupts_while_services_are_stopped_is_handed_over(world: World) -> None:
    world.deploy(1)
    world.settings = settings(world.root, shared_snapshot=["state/*.duckdb"])

    def take(*_: object) -> None:
        raise KeyboardInterrupt

    world.snapshots.take = take  # type: ignore[assignment, method-assign]
    with pytest.raises(KeyboardInterrupt):
        world.deploy(2)
    assert world.services.watched_later == [APP]
    confirm_unit.confirm(world.app)
    assert {unit.active for unit in world.services.units.values()} == {"active"}
    assert world.current_commit() == commit(1)


def test_a_boot_in_probation_without_a_service_that_is_not_enabled(world: World) -> None:
    world.deploy(1)
    sleep = world.clock.sleep

    def die(seconds: float) -> None:
        sleep(seconds)
        unfinished = world.records.unfinished()
        if unfinished and unfinished.step == Step.PROBATION:
            raise Killed("reboot")

    world.clock.sleep = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        world.deploy(2)
    world.clock.sleep = sleep  # type: ignore[method-assign]
    world.revive()
    for name in SERVICES:
        world.services.start(name)
    world.services.change(
        "worker.service", active="inactive", sub="dead", main_pid=0, invocation="", restarts=0
    )
    world.run()
    assert world.current_commit() == commit(2)
    assert quarantined(world) == []
    assert world.services.units["worker.service"].active == "inactive"


def test_a_service_that_is_stopped_by_hand_while_it_starts(world: World) -> None:
    world.deploy(1)
    restart = world.services.restart

    def restart_and_stop(names: list[str]) -> None:
        restart(names)
        world.services.change("worker.service", active="inactive", sub="dead", main_pid=0)
        world.services.stopped_by_hand.add("worker.service")

    world.services.restart = restart_and_stop  # type: ignore[assignment, method-assign]
    assert world.deploy(2).result is Result.UPDATED
    assert quarantined(world) == []


def test_a_service_that_is_stopped_by_hand_before_its_probation(world: World) -> None:
    world.deploy(1)
    world.services.change("web.service", active="activating", sub="start-pre")
    assert world.deploy(2).result is Result.UPDATED
    world.services.change("web.service", active="inactive", sub="dead", main_pid=0)
    world.services.stopped_by_hand.add("web.service")
    assert confirm_unit.confirm(world.app) == Exit.DONE
    assert quarantined(world) == []


def test_no_answer_of_the_service_manager_during_a_rollback(world: World) -> None:
    """It is unknown whether services run the good release: manual action needed."""
    world.deploy(1)
    world.services.bad = {commit(2)}
    look = world.services.look

    def answer(names: list[str]) -> object:
        unfinished = world.records.unfinished()
        return [] if unfinished and unfinished.step == Step.ROLL_BACK else look(names)

    world.services.look = answer  # type: ignore[assignment, method-assign]
    outcome = world.deploy(2)
    assert outcome.exit_code == Exit.BROKEN
    assert "no service manager answers" in outcome.reason
    assert "manual action needed" in outcome.reason
    assert quarantined(world) == [commit(2)], "the two do not fail in the same way"


@pytest.mark.parametrize(
    "facts", [{"type": "http", "url": "http://a..b/"}, {"type": "tcp", "address": "a..b:80"}]
)
def test_a_probe_with_an_invalid_host_name_fails(facts: dict[str, str]) -> None:
    (probe,) = read_probes([facts])
    assert "no " in probes.attempt(probe, "/nowhere", None)


def test_a_release_in_use_is_kept_after_a_rollback(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autoupdate.update import retention

    world.deploy(1)
    world.services.bad = {commit(2)}
    monkeypatch.setattr(retention, "is_used", lambda *_: True)
    assert world.deploy(2).result is Result.ROLLED_BACK
    assert len(world.releases_on_disk()) == 2
    monkeypatch.setattr(retention, "is_used", lambda *_: False)
    world.services.bad = set()
    for number in (3, 4, 5):
        assert world.deploy(number).result is Result.UPDATED
    assert world.release_of(2) == ""


def test_rehearsal_knows_what_the_services_start(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.deploy(1)
    assert world.worker.started == ("web", "api", "worker")


def test_first_deployment_where_nothing_would_run_from(world: World) -> None:
    """The services run from another place: nothing is built, and both ways out are named."""
    home = world.root / "home/me/app"
    home.mkdir(parents=True)
    world.services.runs_from = dict.fromkeys(SERVICES, str(home))

    outcome = world.run()

    assert outcome.exit_code == Exit.USAGE
    assert f"web.service runs from {home}, not from path" in outcome.reason
    assert f"autoupdatectl adopt {home}" in outcome.advice
    assert "set path in" in outcome.advice
    assert world.worker.calls == []
    # One that runs from the path is enough: the others are left alone, however bad they are.
    del world.services.runs_from[SERVICES[0]]
    world.services.broken_units = {SERVICES[1]}
    assert world.run().result == Result.UPDATED
    assert world.services.restarts == [(SERVICES[0],)]
    world.services.runs_from = dict.fromkeys(SERVICES, str(home))
    assert world.deploy(2).result == Result.UPDATED, "it is deployed already"


@pytest.mark.parametrize(
    "facts",
    [
        {"active": "activating", "sub": "start"},
        {"active": "activating", "sub": "start-pre"},
        {"active": "inactive", "sub": "dead"},
        {"active": "failed", "sub": "failed"},
    ],
)
def test_service_that_does_something_and_ends_is_left_alone(
    world: World, facts: dict[str, str]
) -> None:
    world.deploy(1)
    world.services.change("worker.service", is_task=True, **facts)
    before = world.services.units["worker.service"]
    assert world.deploy(2).result is Result.UPDATED
    assert world.services.units["worker.service"] == before
    assert world.services.watched_later == []
    world.services.bad = {commit(3)}
    assert world.deploy(3).result is Result.ROLLED_BACK
    world.services.bad = set()
    world.roll_back()
    assert world.services.units["worker.service"] == before


def test_dynamic_user_and_shared_files_are_refused(world: World) -> None:
    world.deploy(1)
    world.services.change("web.service", has_dynamic_user=True)
    assert world.deploy(2).result is Result.UPDATED
    world.settings = settings(world.root, shared=["state"])
    world.upstream = commit(3)
    outcome = one_run(world.app, wait=False)
    assert (outcome.result, outcome.exit_code) == (Result.FAILED, Exit.FAILED)
    assert "web.service has DynamicUser=yes" in outcome.reason
    assert quarantined(world) == []
    assert world.current_commit() == commit(2)


@pytest.mark.parametrize(("load", "word"), [("masked", "masked"), ("not-found", "gone")])
def test_service_that_lost_its_unit_is_said_to_run_the_old_release(
    world: World, load: str, word: str
) -> None:
    world.deploy(1)
    world.services.change("web.service", load=load)
    assert world.deploy(2).result is Result.UPDATED
    assert world.services.runs["web.service"] == commit(1)
    said = f"web.service still runs the release before, as its unit is {word}"
    assert any(said in event.message for event in world.log.events)
    told = words(status(world.settings, world.paths, world.services), world.clock.now())
    assert f"web.service: active (running): its unit is {word}" in " ".join(told.split())


def test_service_that_says_what_the_host_lacked_is_no_witness_against_its_commit(
    world: World,
) -> None:
    world.deploy(1)
    world.services.bad = {commit(2)}
    world.services.words = "starting\nOSError: [Errno 28] No space left on device: '/srv/x'\n"
    assert world.deploy(2).result is Result.ROLLED_BACK
    assert world.records.quarantined() == []
    assert any("No space left on device" in event.message for event in world.log.events)
