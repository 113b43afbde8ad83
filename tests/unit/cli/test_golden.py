"""The texts that people read, each kept in golden/ and reviewed there.

AUTOUPDATE_GOLDEN=write writes them again; read what changed before you commit it.
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from autoupdate.cli.main import main
from autoupdate.cli.render.history import history as words_of_history
from autoupdate.cli.render.history import quarantine as words_of_quarantine
from autoupdate.cli.render.layout import WIDTH
from autoupdate.cli.render.plan import plan as words_of_plan
from autoupdate.cli.render.release import release as words_of_release
from autoupdate.cli.render.status import status as words_of_status
from autoupdate.cli.verbs.plan import changes, facts
from autoupdate.model.errors import Exit, UnreachableError, UpdateFailedError
from autoupdate.records import hold, pin
from autoupdate.reports.history import history
from autoupdate.reports.plan import plan
from autoupdate.reports.show import facts as about_release
from autoupdate.reports.status import status
from tests.unit.conftest import Journal
from tests.unit.effects import APP, commit
from tests.unit.guard import GUARD
from tests.unit.world import World

GOLDEN = Path(__file__).parents[1] / "golden"
GATES = ("hold", "upstream", "earlier attempts", "fetch", "guard.max_deleted", "space", "window")
SINCE, END = "2098-12-30T08:00:00Z", "2099-01-03T18:00:00Z"
# Versions of Python differ from host to host.
PYTHON = re.compile(r"/usr/bin/python3\.\d+")
# Texts have times by the clock of the host.
pytestmark = pytest.mark.usefixtures("in_zone")


def compare(name: str, text: str, root: Path) -> None:
    """Compare a text with the reviewed one."""
    text = re.sub(r"\033\[[0-9;]*m", "", text).replace(str(root), "")
    text = PYTHON.sub("/usr/bin/python3.11", text).rstrip("\n") + "\n"
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("AUTOUPDATE_GOLDEN") == "write":
        home, GUARD.home = GUARD.home, None
        file.write_text(text)
        GUARD.home = home
    assert text == file.read_text(), f"{file} says something else"
    for line in text.splitlines() if not name.startswith("error") else ():
        # A name that is longer than a line is not broken, nor a command that people copy.
        whole = " " not in line.strip()[: WIDTH // 2] or "    # " in line
        whole |= name == "doctor" and line.startswith("    ")
        assert len(line) <= WIDTH or whole, line


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world in a directory with a path of usual length."""
    return World(tmp_path)


@pytest.fixture
def deployed(world: World) -> World:
    """Return a world with versions 1 and 2 deployed, and version 3 upstream."""
    world.deploy(1)
    world.deploy(2)
    world.upstream = commit(3)
    return world


def told_by_status(world: World) -> str:
    """Return what status says."""
    facts = status(world.settings, world.paths, world.services)
    return words_of_status(facts, later(world))


def later(world: World) -> str:
    """Return the time of day, three minutes after what was done last."""
    world.clock.ahead += 180
    return world.clock.now()


def told_by_plan(world: World, **chosen: Any) -> str:
    """Return what plan says."""
    told = facts(plan(world.twin().app, **chosen))
    # One gate of each kind is enough to review the layout.
    told["gates"] = [verdict for verdict in told["gates"] if verdict["gate"] in GATES]
    return words_of_plan(told)


def test_status(deployed: World) -> None:
    deployed.upstream = commit(2)
    deployed.run()
    compare("status-current", told_by_status(deployed), deployed.root)


def test_status_of_nothing(world: World) -> None:
    compare("status-nothing", told_by_status(world), world.root)


def test_status_of_a_host_in_trouble(deployed: World) -> None:
    deployed.services.bad = {commit(3)}
    deployed.run()
    deployed.services.change("web.service", active="failed", sub="failed", restarts=5)
    deployed.check_fault = UnreachableError("upstream https://upstream.example/app.git is down")
    deployed.run()
    compare("status-trouble", told_by_status(deployed), deployed.root)


def test_status_of_what_an_administrator_steers(deployed: World) -> None:
    hold.put(deployed.records, hold.Hold(SINCE, END, "trade fair in Hanover"))
    pin.put(deployed.records, pin.Pin(commit(2), SINCE))
    deployed.run()
    compare("status-steered", told_by_status(deployed), deployed.root)


def test_status_of_several_apps(deployed: World) -> None:
    one = status(deployed.settings, deployed.paths, deployed.services)
    both = {"apps": [one, {**one, "app": "website", "services": {}}]}
    compare("status-several", words_of_status(both, later(deployed)), deployed.root)


def test_plan(deployed: World) -> None:
    deployed.worker.key = "another"
    compare("plan-update", told_by_plan(deployed), deployed.root)


def test_plan_of_nothing(deployed: World) -> None:
    deployed.upstream = commit(2)
    compare("plan-nothing", told_by_plan(deployed), deployed.root)


def test_plan_that_says_why_not(deployed: World) -> None:
    deployed.worker.findings = deployed.worker.findings._replace(deleted=60)
    hold.put(deployed.records, hold.Hold(SINCE, END, "trade fair"))
    compare("plan-refused", told_by_plan(deployed), deployed.root)


def test_plan_without_upstream(deployed: World) -> None:
    deployed.check_fault = UnreachableError("upstream https://upstream.example/app.git is down")
    compare("plan-unreachable", told_by_plan(deployed), deployed.root)


def test_history(deployed: World) -> None:
    deployed.worker.faults["build"] = UpdateFailedError("no such requirement: htpx")
    deployed.run()
    deployed.worker.faults.clear()
    deployed.worker.findings = deployed.worker.findings._replace(deleted=60)
    for _ in range(3):
        deployed.deploy(4)
    entries = history(deployed.paths, 20)
    compare("history", words_of_history(entries, later(deployed)), deployed.root)
    compare("history-nothing", words_of_history([], later(deployed)), deployed.root)


def test_quarantine(deployed: World) -> None:
    deployed.services.bad = {commit(3)}
    deployed.run()
    items = status(deployed.settings, deployed.paths, deployed.services)["quarantine"]
    compare("quarantine", words_of_quarantine(items, later(deployed)), deployed.root)


@pytest.fixture
def configured(deployed: World, journal: Journal) -> World:
    """Return a world with a configuration file, for the command."""
    file = Path(deployed.all_paths.etc, "apps", f"{APP}.toml")
    file.parent.mkdir(parents=True)
    file.write_text(
        f'path = "{deployed.settings.path}"\n[upstream]\nurl = "https://upstream.example/app.git"\n'
    )
    return deployed


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("hold", ["hold", "--until", "2199-01-01", "--reason", "trade fair"]),
        ("hold-without-end", ["hold"]),
        ("unhold", ["unhold"]),
        ("pin", ["pin", commit(1)]),
        ("pin-deployed", ["pin", commit(2)]),
        ("unpin", ["unpin"]),
    ],
)
def test_steering(
    configured: World, name: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    hold.put(configured.records, hold.Hold(SINCE, "", "before"))
    pin.put(configured.records, pin.Pin(commit(1), SINCE))
    assert main(arguments, configured.all_paths) == Exit.DONE
    compare(name, capsys.readouterr().out, configured.root)


def test_show(deployed: World) -> None:
    found = deployed.records.releases()[-1]
    brought = deployed.twin().worker.compare(found.commit, commit(1))
    told = about_release(
        APP, deployed.paths, found, deployed.records.releases()[0], changes(brought)
    )
    told["packages"] = {
        "added": {"httpx": "0.28"}, "removed": {"six": "1.16"}, "changed": {"rich": ("13", "14")},
    }  # fmt: skip
    now = later(deployed)
    compare("show", words_of_release({**told, "needs_root": False}, now), deployed.root)
    told |= {"changes": None, "needs_root": True}
    compare("show-without-rights", words_of_release(told, now), deployed.root)


def test_history_of_many_refusals(deployed: World) -> None:
    """A commit that is refused again and again does not hide older updates."""
    deployed.worker.findings = deployed.worker.findings._replace(deleted=60)
    for _ in range(30):
        deployed.run()
    entries = history(deployed.paths, 2)
    assert [(entry["result"], entry["times"]) for entry in entries] == [
        ("deferred", 30), ("updated", 1),
    ]  # fmt: skip
    assert entries[0]["first_started_at"] < entries[0]["started_at"]
    assert [entry["commit"] for entry in history(deployed.paths, 5, ["updated"])] == [
        commit(2), commit(1),
    ]  # fmt: skip
    assert history(deployed.paths, 5, [], entries[1]["started_at"]) == entries


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("error-app", ["status", "website"], Exit.USAGE),
        ("error-hold", ["hold", "--until", "tomorrow"], Exit.USAGE),
        ("error-pin", ["pin", "main"], Exit.USAGE),
        ("error-release", ["show", "2020"], Exit.USAGE),
        ("error-since", ["history", "--since", "monday"], Exit.USAGE),
    ],
)
def test_wrong_words(
    configured: World, name: str, arguments: list[str], code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert main(arguments, configured.all_paths) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    compare(name, printed.err, configured.root)
