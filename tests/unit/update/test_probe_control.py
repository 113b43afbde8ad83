"""A probe is tried on what runs before it is held against a commit."""

import pytest

from autoupdate.config.sections import Probe
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from autoupdate.records import probes
from tests.unit.effects import commit
from tests.unit.world import World, settings

PROBE = {"type": "http", "url": "http://127.0.0.1:9000/health", "service": "web.service"}


@pytest.fixture
def probed(world: World) -> World:
    """Return a world in which version 1 is deployed, without any probe; one is set since then."""
    world.deploy(1)
    world.settings = settings(world.root, health__probe=[PROBE])
    return world


def fail_with(world: World, *versions: int) -> None:
    """Make the probe fail while one of these versions runs."""
    bad = {commit(version) for version in versions}

    def seen(_: Probe) -> str:
        return "status 404, not 200" if world.services.runs["web.service"] in bad else ""

    world.seen_by_probe = seen


def test_probe_that_fails_on_what_runs_blames_nobody(probed: World) -> None:
    fail_with(probed, 1, 2)
    restarts = len(probed.services.restarts)
    outcome = probed.deploy(2)
    assert (outcome.result, outcome.exit_code) == (Result.FAILED, Exit.FAILED)
    assert "probe http://127.0.0.1:9000/health of web.service: status 404" in outcome.reason
    assert "fails on what runs now" in outcome.reason
    assert "correct health.probe" in outcome.advice
    assert len(probed.services.restarts) == restarts, "nothing was switched"
    assert not probed.records.quarantined()
    assert not probed.records.all_attempts()
    assert probes.fault(probed.records)
    # As soon as the probe is right, the release that was built is switched to.
    builds = probed.worker.calls.count("build")
    fail_with(probed)
    assert probed.run().result is Result.UPDATED
    assert probed.worker.calls.count("build") == builds
    assert not probes.fault(probed.records)


def test_probe_that_only_the_new_release_passes_needs_force(probed: World) -> None:
    fail_with(probed, 1)
    assert probed.deploy(2).result is Result.FAILED
    assert probed.run(force=True).result is Result.UPDATED


def test_probe_that_passed_before_does_not_block_the_update_that_heals(probed: World) -> None:
    assert probed.deploy(2).result is Result.UPDATED
    fail_with(probed, 2)
    assert probed.deploy(3).result is Result.UPDATED


@pytest.mark.parametrize(
    "facts",
    [
        {"active": "failed", "sub": "failed"},
        {"active": "inactive", "sub": "dead"},
        {"active": "activating", "sub": "auto-restart"},
    ],
)
def test_service_that_is_down_does_not_block_the_update(
    probed: World, facts: dict[str, str]
) -> None:
    fail_with(probed, 1)
    probed.services.change("web.service", **facts)
    assert probed.deploy(2).result is Result.UPDATED


def test_first_deployment_has_nothing_to_try_probes_on(world: World) -> None:
    world.settings = settings(world.root, health__probe=[PROBE])
    tried: list[str] = []
    world.seen_by_probe = lambda _: tried.append(world.current_commit()) or ""  # type: ignore[func-returns-value]
    world.deploy(1)
    assert set(tried) == {commit(1)}


def test_bad_commit_is_blamed(probed: World) -> None:
    fail_with(probed, 2)
    outcome = probed.deploy(2)
    assert (outcome.result, outcome.exit_code) == (Result.ROLLED_BACK, Exit.FAILED)
    assert [item.commit for item in probed.records.quarantined()] == [commit(2)]


def test_probe_that_fails_after_the_rollback_too_blames_nobody(probed: World) -> None:
    """The service was down before the switch, so that the probe could not be tried."""
    fail_with(probed, 1, 2)
    probed.services.change("web.service", active="activating", sub="auto-restart")
    probed.records.write("UPDATE transactions SET result = 'broken', services = 'web.service'")
    outcome = probed.deploy(2)
    assert (outcome.result, outcome.exit_code) == (Result.ROLLED_BACK, Exit.FAILED)
    assert "fails this probe, too" in outcome.reason
    assert probed.records.quarantined() == []
    assert probed.current_commit() == commit(1)
