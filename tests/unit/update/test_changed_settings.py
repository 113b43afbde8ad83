"""Settings that change with no new commit: the same commit is built again, and never blamed."""

import os

import pytest

from autoupdate.doctor.case import Case
from autoupdate.doctor.leftovers import leftovers
from autoupdate.host.links import linked_release
from autoupdate.model.errors import UpdateFailedError
from autoupdate.model.steps import Result
from autoupdate.update.run import one_run
from tests.unit.doctor.test_examine import WellHost
from tests.unit.effects import commit
from tests.unit.world import World, settings


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"build__extra_requirements": ["six"]}, "build.extra_requirements"),
        ({"shared": ["state"]}, "shared"),
        ({"services": ["web.service"]}, "services"),
    ],
)
def test_the_next_run_applies_them(world: World, changes: dict[str, object], key: str) -> None:
    world.deploy(1)
    before = linked_release(world.paths.current)
    world.settings = settings(world.root, **changes)
    outcome = one_run(world.app, wait=False)
    assert (outcome.result, outcome.commit) == (Result.UPDATED, commit(1))
    assert linked_release(world.paths.current) != before
    assert any(f"{key} has changed" in event.message for event in world.log.events)
    assert one_run(world.app, wait=False).result is Result.CURRENT


def test_link_at_a_former_path_stays_and_is_named(world: World) -> None:
    world.deploy(1)
    former = world.settings.path
    world.settings = settings(world.root, path=f"{former}-new")
    assert one_run(world.app, wait=False).result is Result.UPDATED
    said = f"{former} stays a link to the app, for programs that still use it; when none does: rm"
    assert any(said in event.message for event in world.log.events)
    case = Case(world.all_paths, world.settings, world.records, WellHost(world), "2099-01-01")
    (finding,) = leftovers(case)
    assert (finding.about, finding.mend) == (former, f"rm {former}")
    os.unlink(former)
    assert list(leftovers(case)) == []


def test_settings_of_time_limits_make_no_release(world: World) -> None:
    world.deploy(1)
    world.settings = settings(world.root, build__timeout="1h", build__upgrade="newest", keep=5)
    assert one_run(world.app, wait=False).result is Result.CURRENT


def test_commit_is_not_blamed_for_new_settings(world: World) -> None:
    world.deploy(1)
    before = linked_release(world.paths.current)
    world.settings = settings(world.root, build__extras=["wrong"])
    world.worker.faults["build"] = UpdateFailedError("no extra of that name")
    assert one_run(world.app, wait=False).result is Result.FAILED
    assert world.records.quarantined() == []
    assert linked_release(world.paths.current) == before
    world.worker.faults.clear()
    world.services.bad = {commit(1)}
    world.clock.sleep(3600)
    assert one_run(world.app, wait=False).result in (Result.ROLLED_BACK, Result.BROKEN)
    assert world.records.quarantined() == []


def test_release_of_an_earlier_version_of_this_package(world: World) -> None:
    """It has no settings on record: an upgrade builds nothing anew."""
    world.deploy(1)
    world.records.write("UPDATE releases SET settings = ''")
    world.settings = settings(world.root, build__extras=["more"])
    assert one_run(world.app, wait=False).result is Result.CURRENT
