"""How much space a release may need, and which releases processes still use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.gates.space import GROWTH, RESERVE, check_space, needed
from autoupdate.host.processes import is_used, used_paths
from autoupdate.model.errors import HostFaultError
from autoupdate.records.rows import Release
from autoupdate.update import retention
from autoupdate.worker.building import Plan
from tests.unit.world import World, settings

MIB = 1 << 20


def release(size: int, environment: str = "key") -> Release:
    """Return a release that took some space."""
    return Release("r", "c", "t", "t", "", environment, "python", size * MIB)


def plan(environment: str = "key", *, reused: bool = True, free: int = 0) -> Plan:
    """Return what a build needs, on a file system with some space."""
    return Plan(environment, "python", reused, free, "")


@pytest.mark.parametrize(
    ("releases", "planned", "expected"),
    [
        ([], plan(reused=False), 0),
        # If its environment exists, a release needs as much as the last one with it.
        ([release(800), release(20), release(24)], plan(), 24),
        ([release(800), release(20)], plan("new", reused=False), 800),
        ([release(800, "old"), release(20, "old")], plan("key"), 800),
        ([release(800), release(20)], plan(reused=False), 800),
    ],
)
def test_needed(releases: list[Release], planned: Plan, expected: int) -> None:
    assert needed(releases, planned) == RESERVE + int(GROWTH * expected * MIB)


def test_check() -> None:
    wanted = needed([release(800)], plan())
    check_space([release(800)], plan(free=wanted))
    with pytest.raises(HostFaultError, match="1064 MiB may be needed, 1063 MiB are free") as caught:
        check_space([release(800)], plan(free=wanted - 1))
    assert "keep" in caught.value.advice


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Path]:
    """Return a directory in which this process works."""
    before = os.getcwd()
    directory = tmp_path / "releases/r1"
    (directory / "app").mkdir(parents=True)
    os.chdir(directory / "app")
    yield directory
    os.chdir(before)


def test_used_by_a_process_that_works_there(inside: Path) -> None:
    paths = used_paths()
    assert is_used(str(inside), paths)
    assert is_used(f"{inside}/app", paths)
    assert not is_used(f"{inside}/ap", paths), "another name that begins like this one"
    assert not is_used(f"{inside}1", paths)


def test_used_by_what_is_mapped() -> None:
    """Such as a library of a virtual environment, whatever the working directory is."""
    import _sqlite3

    assert is_used(os.path.dirname(_sqlite3.__file__), used_paths())


def test_release_in_use_is_kept(world: World) -> None:
    world.settings = settings(world.root, keep=1)
    world.deploy(1)
    oldest = world.release_of(1)
    before = os.getcwd()
    os.chdir(world.paths.release(oldest))
    for number in (2, 3, 4):
        world.deploy(number)
    assert world.releases_on_disk() == {oldest, world.release_of(3), world.release_of(4)}
    os.chdir(before)
    retention.prune(world.app)
    assert world.releases_on_disk() == {world.release_of(3), world.release_of(4)}
