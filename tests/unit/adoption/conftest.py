"""An app that is to be renamed; tests of adoption have worlds of their own."""

import pytest

from autoupdate.adoption import gate_drop_in
from autoupdate.cli.main import main
from autoupdate.cli.verbs import forget as forgetting
from autoupdate.cli.verbs import rename as verb
from autoupdate.cli.verbs import status as looking
from autoupdate.records import unremoved
from tests.unit.adoption.renaming import WANTS, Call, Units, settings, write
from tests.unit.conftest import Journal
from tests.unit.effects import APP
from tests.unit.world import World


@pytest.fixture
def units(world: World, monkeypatch: pytest.MonkeyPatch, journal: Journal) -> Units:
    """Return the service manager, in place of that of the host."""
    made = Units(world)
    for module in (verb, forgetting):
        monkeypatch.setattr(module, "Systemd", lambda: made)
        monkeypatch.setattr(module, "SystemdTransientUnits", lambda: world.transient_units)
    monkeypatch.setattr(looking, "Systemd", lambda: made)
    monkeypatch.setattr(forgetting, "processes_in", lambda _: [])
    assert journal.entries == []
    return made


@pytest.fixture
def call(world: World, units: Units) -> Call:
    """Return what types a command."""
    assert units.reloads == 0
    return lambda *words: main(list(words), world.all_paths)


@pytest.fixture
def deployed(world: World, units: Units) -> World:
    """Return a world with an app that is deployed, and has everything that can have its name."""
    world.deploy(1)
    paths = world.all_paths
    write(f"{paths.etc}/apps/{APP}.toml", settings(world))
    write(f"{paths.etc}/apps/{APP}.toml.d/10-keep.toml", "keep = 4\n")
    write(f"{paths.keys(APP)}/author.asc", "key")
    write(f"{paths.hooks(APP)}/pre-update.d/10-ask", "#!/bin/sh\n")
    write(f"{paths.administrators_units}/autoupdate@{APP}.timer.d/often.conf", "[Timer]\n")
    write(f"{world.root}/metrics/autoupdate-{APP}.prom", "")
    (world.root / WANTS).mkdir(parents=True)
    units.switch("autoupdate.timer", on=True)
    gate_drop_in.enable(paths, world.units, "web.service", APP)
    unremoved.note(world.paths, f"{world.paths.releases}/old", "busy", f"rm {world.paths.home}/x")
    script = f"{world.paths.release(world.release_of(1))}/.venv/bin/serve"
    write(script, f"#!{world.paths.release(world.release_of(1))}/.venv/bin/python\n")
    return world
