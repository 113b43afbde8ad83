"""The control of a failed build, and which server is known to be in trouble."""

import pytest

from autoupdate.model.control import Control
from autoupdate.model.errors import (
    AutoupdateError,
    DependenciesFailedError,
    Exit,
    HostFaultError,
    UnreachableError,
    UpdateFailedError,
)
from autoupdate.model.steps import Result
from autoupdate.records import network_trouble
from autoupdate.records.network_trouble import NetworkTrouble
from autoupdate.reports.status import status
from tests.unit.effects import commit
from tests.unit.update.test_failure import fail_again
from tests.unit.world import World

NOON = "2099-01-01T12:00:00Z"
DAY = 24 * 3600


@pytest.fixture
def deployed(world: World) -> World:
    """Return a world in which version 1 is deployed."""
    world.deploy(1)
    return world


def test_control_fails_as_well(deployed: World) -> None:
    """What the host can no longer fetch for the deployed release says nothing about a commit."""
    deployed.worker.faults["build"] = DependenciesFailedError("no such requirement")
    fault = "click==8.1 cannot be fetched: pypi.example did not answer"
    deployed.worker.found_by_control = Control(("click==8.1",), fault, "pypi.example")
    outcome = deployed.deploy(2)
    assert (outcome.result, outcome.exit_code) == (Result.UNREACHABLE, Exit.UNREACHABLE)
    for words in ("no such requirement", "the commit is not blamed", fault):
        assert words in outcome.reason
    assert deployed.records.quarantined() == []
    assert deployed.records.failed_environment(deployed.worker.key) is None
    shown = status(deployed.settings, deployed.paths, deployed.services)["network_trouble"]
    assert shown["server"] == "pypi.example"
    assert fault in shown["reason"]
    deployed.worker.faults.clear()
    assert fail_again(deployed) is Result.UPDATED
    assert network_trouble.find(deployed.records) is None


@pytest.mark.parametrize(
    ("fault", "kind"), [(UnreachableError("it did not end within 60 s"), Result.UNREACHABLE),
                        (HostFaultError("its worker died"), Result.FAILED)],
)  # fmt: skip
def test_control_that_cannot_be_made(deployed: World, fault: AutoupdateError, kind: Result) -> None:
    deployed.worker.faults |= {"build": UpdateFailedError("the build is late"), "control": fault}
    outcome = deployed.deploy(2)
    assert outcome.result is kind
    assert fault.message in outcome.reason
    assert deployed.records.quarantined() == []


def test_first_deployment_asks_only_the_indexes_of_the_commit(world: World) -> None:
    world.worker.faults["build"] = UpdateFailedError("setup.py fails")
    fault = "an index cannot be asked: pypi.example ended the connection in the middle"
    world.worker.found_by_control = Control(("the index",), fault, "pypi.example")
    assert world.deploy(1).result is Result.UNREACHABLE
    ((release, failed),) = world.worker.controlled
    assert not release
    assert failed.endswith(commit(1)[:12])
    assert world.records.quarantined() == []
    world.worker.found_by_control = Control(("the index",))
    world.run(force=True)
    assert [item.commit for item in world.records.quarantined()] == [commit(1)]


def test_release_that_cannot_run_is_nothing_to_compare_with(deployed: World) -> None:
    """After an upgrade of the host its pip and its Python may be gone."""
    deployed.records.write("UPDATE releases SET interpreter = '/usr/bin/python3.1 Python 3.1'")
    deployed.worker.faults["build"] = UpdateFailedError("setup.py fails")
    assert deployed.run().result is Result.FAILED
    assert [release for release, _failed in deployed.worker.controlled] == [""]
    # It ran before, so it is tried again.
    assert deployed.records.quarantined() == []
    assert deployed.records.attempts(commit(1))


def test_fault_of_the_host_needs_no_control(deployed: World) -> None:
    deployed.worker.faults["build"] = HostFaultError("killed by signal 9")
    deployed.deploy(2)
    assert "control" not in deployed.worker.calls


def test_trouble_is_known_until_its_server_works(deployed: World) -> None:
    """Upstream's own, and not by an answer about something else; a fetch is such an answer."""

    def trouble() -> NetworkTrouble | None:
        return network_trouble.find(deployed.records)

    deployed.check_fault = UnreachableError("upstream did not answer")
    deployed.run()
    first = trouble()
    assert first is not None
    assert (first.server, first.reason) == ("upstream.example", "upstream did not answer")
    deployed.clock.seconds += 60
    deployed.check_fault = UnreachableError("upstream refused the connection")
    deployed.run()
    assert trouble() == first._replace(reason="upstream refused the connection")
    deployed.check_fault = None
    deployed.worker.faults["fetch"] = UnreachableError("half a pack")
    deployed.deploy(2)
    deployed.run()
    after_fetch = trouble()
    assert after_fetch is not None, "upstream answers, but a fetch fails"
    deployed.worker.faults = {"build": UnreachableError("no files", server="pypi.example")}
    deployed.clock.seconds += 60
    deployed.run()
    now = trouble()
    assert now is not None
    assert now.server == "pypi.example"
    deployed.upstream = commit(1)
    deployed.run()
    assert trouble() is None, "nothing is to be built any more"
