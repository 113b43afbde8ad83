"""Services that are rehearsed before the switch: whose fault it is when one fails."""

import pytest

from autoupdate.cli.render.status import status as in_text
from autoupdate.gates.attempts import stuck
from autoupdate.host.rehearsal.watch import SHORT_OF_MEMORY, Fault
from autoupdate.model.errors import Exit
from autoupdate.model.events import REHEARSED
from autoupdate.model.steps import Result, Step
from autoupdate.reports.plan import plan
from autoupdate.reports.status import status
from autoupdate.update.rehearsal.choice import choose, in_words, known_faults
from tests.unit.effects import SERVICES, commit
from tests.unit.world import World, settings

WEB = SERVICES[0]
DIES = Fault(WEB, "failed (exit-code)", "ImportError: no module named x")
PROBE = {"type": "http", "url": "http://127.0.0.1:1/health", "service": WEB}


def warnings(world: World) -> list[str]:
    return [event.message for event in world.log.events if event.kind == REHEARSED]


def test_a_good_commit_is_rehearsed_once(world: World) -> None:
    world.deploy(1)
    assert world.rehearsals.performed == [], "nothing is deployed to compare with"
    assert world.deploy(2).result is Result.UPDATED
    assert world.rehearsals.performed == [(commit(2), SERVICES, 20.0)]


def test_a_bad_commit_costs_production_nothing(world: World) -> None:
    world.deploy(1)
    services, restarts = dict(world.services.units), len(world.services.restarts)
    world.rehearsals.faults = [(commit(2), DIES)]
    outcome = world.deploy(2)
    assert (outcome.result, outcome.exit_code) == (Result.FAILED, Exit.FAILED)
    assert "ImportError: no module named x" in outcome.reason
    (item,) = world.records.quarantined()
    assert (item.commit, item.step) == (commit(2), Step.REHEARSE)
    assert (world.services.units, len(world.services.restarts)) == (services, restarts)
    assert [name for name, *_ in world.rehearsals.performed] == [commit(2), commit(1), commit(2)]
    assert not stuck(world.records), "services start on the good release"
    world.run()
    assert status(world.settings, world.paths, world.services)["state"] == "failed"
    world.assert_whole()
    assert world.deploy(3).result is Result.UPDATED


def test_what_fails_with_the_deployed_release_is_left_out(world: World) -> None:
    world.deploy(1)
    world.rehearsals.faults = [("", Fault(WEB, "failed", "needs the network"))]
    assert world.deploy(2).result is Result.UPDATED
    assert "needs the network" in warnings(world)[-1]
    names = [services for _, services, _ in world.rehearsals.performed]
    assert names == [SERVICES, SERVICES, SERVICES[1:]]
    assert [item.name for item in known_faults(world.records)] == [WEB]
    told = status(world.settings, world.paths, world.services)
    assert f"without {WEB}" in in_text(told, world.clock.now())
    (left_out,) = told["rehearsal"]["left_out"]
    assert (left_out["name"], left_out["about"]) == (WEB, f"{WEB} failed: needs the network")
    world.rehearsals.performed.clear()
    assert world.deploy(3).result is Result.UPDATED
    assert world.rehearsals.performed == [(commit(3), SERVICES[1:], 20.0)]
    assert "needs the network" in in_words(choose(world.app))
    world.rehearsals.digests[WEB] = "another unit"
    world.rehearsals.faults.clear()
    assert world.deploy(4).result is Result.UPDATED
    assert world.rehearsals.performed[-1][1] == SERVICES


def test_one_left_out_does_not_hide_another(world: World) -> None:
    world.deploy(1)
    api = SERVICES[1]
    world.rehearsals.faults = [("", DIES), (commit(2), Fault(api, "failed (signal)"))]
    outcome = world.deploy(2)
    assert outcome.result is Result.FAILED
    assert f"{api} failed (signal)" in outcome.reason
    assert [item.name for item in known_faults(world.records)] == [WEB]


@pytest.mark.parametrize("doubt", [SHORT_OF_MEMORY, 'it said "Network is unreachable"'])
def test_what_the_sandbox_may_have_caused_is_not_blamed(world: World, doubt: str) -> None:
    world.deploy(1)
    world.rehearsals.faults = [(commit(2), DIES._replace(doubt=doubt))]
    assert world.deploy(2).result is Result.UPDATED
    assert doubt in warnings(world)[-1]
    assert known_faults(world.records) == []


def test_memory_that_is_short_now_is_not_remembered(world: World) -> None:
    world.deploy(1)
    world.rehearsals.faults = [(commit(2), DIES), (commit(1), DIES._replace(doubt=SHORT_OF_MEMORY))]
    assert world.deploy(2).result is Result.UPDATED
    assert known_faults(world.records) == []


def test_a_fault_that_does_not_come_back_is_a_warning(world: World) -> None:
    world.deploy(1)
    world.rehearsals.faults = [(commit(2), DIES)]
    world.rehearsals.once = {WEB}
    assert world.deploy(2).result is Result.UPDATED
    assert "at a second try it passed" in warnings(world)[-1]


def test_systemd_that_starts_none_stops_no_update(world: World) -> None:
    world.deploy(1)
    world.rehearsals.refused = "systemctl start: no space"
    assert world.deploy(2).result is Result.UPDATED
    assert "cannot be rehearsed: systemctl start: no space" in warnings(world)[-1]


def test_a_probe_that_fails_with_both_is_left_out(world: World) -> None:
    world.settings = settings(world.root, health__probe=[PROBE])
    world.deploy(1)
    name = f"probe {PROBE['url']} of {WEB}"
    world.rehearsals.faults = [("", Fault(name, "failed: status 500", service=WEB))]
    assert world.deploy(2).result is Result.UPDATED
    assert [item.name for item in known_faults(world.records)] == [name]
    choice = choose(world.app)
    assert (choice.services, choice.probes) == (SERVICES, ())


def test_which_services_take_part(world: World) -> None:
    world.deploy(1)
    web, api, worker = SERVICES
    world.services.change(api, active="inactive", sub="dead")
    world.services.change(worker, is_task=True)
    choice = choose(world.app)
    assert choice.services == (web,)
    assert choice.left_out[api] == "it does not run"
    assert "does something and ends" in choice.left_out[worker]
    world.rehearsals.no_rehearsal = {web: "it gets its connections from web.socket"}
    choice = choose(world.app)
    assert (choice.services, choice.why_none) == ((), "none of the services can take part")
    assert "web.socket" in in_words(choice)


def test_a_start_that_waits_is_kept_waiting_for_two_seconds(world: World) -> None:
    world.deploy(1)
    world.services.change(WEB, active="activating", sub="start-pre")
    assert choose(world.app).time == 2.0


@pytest.mark.parametrize(("value", "services"), [("off", ()), ([WEB], (WEB,)), ("auto", SERVICES)])
def test_the_setting(world: World, value: object, services: tuple[str, ...]) -> None:
    world.deploy(1)
    world.settings = settings(world.root, rehearse__services=value, rehearse__time="3s")
    choice = choose(world.app)
    assert (choice.services, choice.time if services else 3.0) == (services, 3.0)


def test_plan_says_what_is_left_out(world: World) -> None:
    world.deploy(1)
    world.upstream = commit(2)
    world.rehearsals.no_rehearsal = {WEB: "its unit is masked"}
    (said,) = [gate.reason for gate in plan(world.app).gates if gate.gate == "rehearsal"]
    assert f"{WEB} is left out: its unit is masked" in said


def test_the_next_run_removes_what_a_killed_one_left(world: World) -> None:
    world.deploy(1)
    world.rehearsals.left = True
    world.run()
    assert not world.rehearsals.left
    assert any("interrupted rehearsal" in event.message for event in world.log.events)
