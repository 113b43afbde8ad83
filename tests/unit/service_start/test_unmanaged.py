"""Services that are none of ours: they start at once, and say where they run from."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from autoupdate.config.run_from import Unit
from autoupdate.host.log import fields_of
from autoupdate.model.events import UNMANAGED, Event
from autoupdate.service_start import fast_path, unmanaged
from autoupdate.service_start.unmanaged import must_start
from tests.unit.conftest import Journal
from tests.unit.effects import APP
from tests.unit.world import World


class Start:
    """The start of a service with a unit, in a world."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.monkeypatch = world, monkeypatch
        self.home = world.root / "home/me/app"
        (self.home / ".git").mkdir(parents=True)
        self.working = "/"
        self.asked = 0
        self.answers = True
        monkeypatch.setattr(unmanaged, "own_unit", lambda: "web.service")
        Path(world.all_paths.log).parent.mkdir(parents=True)

    def runs_from(self, working: str | Path) -> None:
        """Set WorkingDirectory= of the unit."""
        self.working = str(working)
        self.monkeypatch.chdir(working)

    def look(self, names: Sequence[str]) -> list[Unit]:
        """Return what the unit names."""
        self.asked += 1
        unit = {"Name": names[0], "LoadState": "loaded", "WorkingDirectory": self.working}
        return [unit] if self.answers else []

    def passes(self) -> bool:
        """Return whether it starts without an update."""
        return must_start(self.world.all_paths, APP, self.look)


@pytest.fixture
def start(world: World, monkeypatch: pytest.MonkeyPatch, journal: Journal) -> Start:
    """Return the start of a service."""
    return Start(world, monkeypatch)


def test_app_that_was_never_deployed(
    start: Start, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    start.runs_from(start.home)
    assert start.passes()
    assert start.asked == 0, "systemd is asked only if the working directory does not say it"
    (entry,) = journal.entries
    fields = fields_of(Event(UNMANAGED, entry["MESSAGE"], APP))
    assert entry == dict(field.split("=", 1) for field in fields)
    assert f"web.service runs from {start.home}, which is not managed" in entry["MESSAGE"]
    assert entry["MESSAGE"].endswith(f"autoupdatectl adopt {start.home}")
    assert capsys.readouterr().err == f"{entry['MESSAGE']}\n"
    assert entry["MESSAGE"] in Path(start.world.all_paths.log).read_text()


@pytest.mark.parametrize("answers", [True, False])
def test_nothing_deployed_and_no_directory_known(
    start: Start, journal: Journal, answers: bool
) -> None:
    """Neither a broken systemctl nor a log that cannot be written keeps it down."""
    start.answers = answers
    Path(start.world.all_paths.log).parent.rmdir()
    start.monkeypatch.chdir("/")
    assert start.passes()
    assert journal.entries[0]["MESSAGE"].endswith(f"to deploy: autoupdatectl run {APP}")


def test_service_that_runs_from_another_place(start: Start, journal: Journal) -> None:
    start.world.deploy(1)
    start.runs_from(start.home)
    assert start.passes()
    assert f"runs from {start.home}" in journal.entries[0]["MESSAGE"]


def test_service_that_runs_from_the_path(start: Start) -> None:
    start.world.deploy(1)
    start.runs_from(start.world.settings.path)
    assert not start.passes()
    assert fast_path.runs_from_release(start.world.paths)
    start.monkeypatch.chdir("/")
    assert not fast_path.runs_from_release(start.world.paths)
    # Somebody removed `current`: the usual gate has to cure that.
    os.unlink(start.world.paths.current)
    assert not start.passes()


def test_wrapper_of_which_nobody_knows_where_it_leads(start: Start) -> None:
    """As before, it is updated: an update too many is better than none, for a deployed app."""
    start.world.deploy(1)
    start.monkeypatch.chdir("/")
    assert not start.passes()
    start.answers = False
    assert not start.passes()


def test_interrupted_adoption_is_undone_first(start: Start) -> None:
    start.runs_from(start.home)
    Path(start.world.paths.relocation).write_text("{}")
    assert not start.passes()


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/web.service\n", "web.service"),
        ("0::/system.slice/system-web.slice/web@1.service/.control\n", "web@1.service"),
        ("3:cpu:/a.service\n1:name=systemd:/system.slice/web.service\n0::/\n", "web.service"),
        ("0::/user.slice/session-1.scope\n", ""),
        ("garbage\n", ""),
    ],
)
def test_own_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, unit: str) -> None:
    file = tmp_path / "cgroup"
    file.write_text(text)
    real = open
    monkeypatch.setattr(unmanaged, "open", lambda _, **kinds: real(file, **kinds), raising=False)
    assert unmanaged.own_unit() == unit
