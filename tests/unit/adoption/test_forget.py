"""forget: what an app has left is removed, nothing that is used, and nothing of anybody else's."""

import json
import os
from pathlib import Path

import pytest

from autoupdate.adoption import gate_drop_in
from autoupdate.adoption.forget import Remains, find, remove
from autoupdate.cli.main import main
from autoupdate.cli.verbs import forget as verb
from autoupdate.host.processes import Process
from autoupdate.model.errors import ConfigurationError, Exit
from tests.unit.conftest import Journal
from tests.unit.effects import APP, SERVICES
from tests.unit.world import World

TIMER = "etc/systemd/system/timers.target.wants/autoupdate.timer"


@pytest.fixture
def left(world: World) -> World:
    """Return a world in which version 1 was deployed, and whose services have been stopped."""
    world.deploy(1)
    file = Path(world.all_paths.etc, "apps", f"{APP}.toml")
    file.parent.mkdir(parents=True)
    file.write_text(
        f'path = "{world.settings.path}"\nservices = ["web.service"]\n'
        '[upstream]\nurl = "https://x/y"\n'
    )
    for name in SERVICES:
        world.services.change(name, active="inactive", sub="dead")
    shared = Path(world.paths.shared, "state")
    shared.mkdir(parents=True)
    (shared / "jobs.json").write_text("[1]")
    timer = world.root / TIMER
    timer.parent.mkdir(parents=True)
    timer.symlink_to("/usr/lib/systemd/system/autoupdate.timer")
    for service, app in (("web", APP), ("other", "other")):
        gate_drop_in.enable(world.all_paths, world.units, f"{service}.service", app)
    world.units.reloads = 0
    return world


def look(world: World, *, shared: bool = False) -> Remains:
    """Return what is found."""
    return find(world.all_paths, APP, world.services, lambda _: world.processes, shared=shared)


def test_all_but_settings_and_data_is_removed(left: World) -> None:
    found = look(left)
    assert found.broken == ("web.service",)
    assert remove(found, left.paths, left.units, left.transient_units) == []
    assert os.listdir(left.paths.home) == ["shared"]
    assert Path(left.paths.shared, "state/jobs.json").read_text() == "[1]"
    assert not os.path.lexists(left.settings.path)
    assert not os.path.exists(left.paths.run)
    assert left.units.off == {"autoupdate.timer"}
    assert left.transient_units.ended == [APP]
    units = Path(left.all_paths.administrators_units)
    assert not (units / "web.service.d").exists()
    assert (units / "other.service.d" / gate_drop_in.NAME).exists()
    assert left.units.reloads == 1
    assert Path(left.all_paths.etc, "apps", f"{APP}.toml").exists()
    assert found.kept == (left.paths.shared, f"{left.all_paths.etc}/apps/{APP}.toml")


def test_with_shared_nothing_is_left(left: World) -> None:
    remove(look(left, shared=True), left.paths, left.units, left.transient_units)
    assert not os.path.exists(left.paths.home)
    with pytest.raises(ConfigurationError, match="has left nothing"):
        look(left)


def test_without_settings(left: World) -> None:
    """Then only the last valid ones say where the link is."""
    os.unlink(f"{left.all_paths.etc}/apps/{APP}.toml")
    kept = {"path": [left.settings.path, "x"], "upstream.url": ["https://x/y", "x"]}
    Path(left.paths.last_valid).write_text(json.dumps(kept))
    assert look(left).link == left.settings.path
    os.unlink(left.paths.last_valid)
    assert look(left).link == ""


@pytest.mark.parametrize(("active", "sub"), [("active", "running"), ("activating", "auto-restart")])
def test_a_service_that_runs_from_it(left: World, active: str, sub: str) -> None:
    left.services.change("web.service", active=active, sub=sub)
    with pytest.raises(ConfigurationError) as caught:
        look(left)
    assert caught.value.message == f"{APP}: web.service runs from it"
    assert f"autoupdatectl release-path {APP}; " in caught.value.advice
    assert caught.value.advice.endswith("systemctl disable --now web.service")


def test_a_service_that_no_settings_name(left: World) -> None:
    file = left.root / "usr/lib/systemd/system/foreign.service"
    file.parent.mkdir(parents=True)
    file.write_text("[Service]\n")
    left.services.add("foreign.service")
    left.services.runs_from["foreign.service"] = left.paths.current
    with pytest.raises(ConfigurationError, match=r"foreign\.service runs from it"):
        look(left)
    left.services.runs_from["foreign.service"] = "/srv/elsewhere"
    look(left)


def test_a_process_and_an_interrupted_adoption(left: World) -> None:
    left.processes = [Process("12", "python3 -m http.server", "session.scope")]
    with pytest.raises(ConfigurationError, match="process 12 runs from it"):
        look(left)
    left.processes = []
    Path(left.paths.relocation).write_text("{}")
    with pytest.raises(ConfigurationError, match="interrupted"):
        look(left)


def test_what_a_purge_has_kept(left: World) -> None:
    """The services' data is in the release then."""
    left.records.close()
    os.unlink(left.paths.state)
    remove(look(left), left.paths, left.units, left.transient_units)
    assert sorted(os.listdir(left.paths.home)) == ["current", "releases", "shared"]


def test_it_is_asked_for(
    left: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    journal: Journal,
) -> None:  # fmt: skip
    os.unlink(left.root / TIMER)
    for service in ("web", "other"):
        gate_drop_in.disable(left.all_paths, left.units, f"{service}.service")
    monkeypatch.setattr(verb, "Systemd", lambda: left.services)
    monkeypatch.setattr(verb, "processes_in", lambda _: [])
    monkeypatch.setattr(verb, "SystemdTransientUnits", lambda: left.transient_units)
    assert main(["forget", APP], left.all_paths) == Exit.USAGE
    shown = capsys.readouterr()
    assert f"  {left.paths.releases}\n" in shown.out
    assert f"to remove it: autoupdatectl forget --yes {APP}" in shown.err
    assert left.current_commit()
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "")
    assert main(["forget", APP], left.all_paths) == Exit.FAILED
    assert left.current_commit()
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert main(["forget", APP], left.all_paths) == Exit.DONE
    assert os.listdir(left.paths.home) == ["shared"]
    assert journal.entries[0]["MESSAGE"] == f"{APP}: removed from this host"
