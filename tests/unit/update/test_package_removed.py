"""The package is removed or purged during a run that somebody started by hand."""

import pytest

from autoupdate.model.commits import kept
from autoupdate.model.errors import AutoupdateError, Exit, UpdateFailedError
from autoupdate.model.steps import Result
from autoupdate.records.database import StateError
from autoupdate.update import failure
from autoupdate.update.run import one_run
from tests.unit.effects import commit
from tests.unit.world import World


@pytest.fixture
def deployed(world: World) -> World:
    """Return a world in which version 1 is deployed."""
    world.deploy(1)
    return world


@pytest.mark.parametrize("step", ["build", "rehearse"])
def test_the_package_was_removed_during_the_run(
    deployed: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Then a file of it is missing; no commit is to blame for that."""
    monkeypatch.setattr(failure, "LIBRARY", str(deployed.root / "gone"))
    deployed.worker.faults[step] = UpdateFailedError("can't open file '/usr/share/…/smoke.py'")
    outcome = deployed.deploy(2)
    release = deployed.release_of(1)
    assert outcome.exit_code == Exit.FAILED
    assert "the package ipfs-accelerate-autoupdate was removed during the run" in outcome.reason
    assert outcome.reason.endswith(f"; {kept(release)}")
    assert "smoke.py" not in outcome.reason
    assert "apt install ipfs-accelerate-autoupdate && autoupdatectl run " in outcome.advice
    assert deployed.records.quarantined() == []
    assert deployed.records.attempts(commit(2)) is None
    monkeypatch.undo()
    deployed.worker.faults.clear()
    assert deployed.deploy(2).result == Result.UPDATED


def test_the_package_was_removed_before_the_first_step(
    deployed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failure, "LIBRARY", str(deployed.root / "gone"))
    deployed.check_fault = AutoupdateError("No such file or directory")
    outcome = deployed.run()
    assert "was removed during the run; " in outcome.reason
    assert outcome.reason.endswith(kept(deployed.release_of(1)))


def test_the_package_was_purged_during_the_run(
    deployed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state is gone, too."""

    def fail(*_: object, **__: object) -> None:
        raise StateError("state.db cannot be written: unable to open database file")

    monkeypatch.setattr(deployed.records, "set_last_run", fail)
    with pytest.raises(StateError):
        deployed.deploy(1)
    monkeypatch.setattr(failure, "LIBRARY", str(deployed.root / "gone"))
    outcome = one_run(deployed.app, wait=False)
    assert outcome.exit_code == Exit.FAILED
    assert "was removed during the run; " in outcome.reason
    assert outcome.reason.endswith(kept(deployed.release_of(1)))
    assert "apt install" in outcome.advice
