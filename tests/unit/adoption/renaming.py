"""An app that is renamed, with everything that can have its name: what tests of rename share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autoupdate.adoption import gate_drop_in
from autoupdate.config.load import apps, load
from autoupdate.model.events import STEERED
from autoupdate.records import unremoved
from tests.unit.conftest import Journal
from tests.unit.effects import APP, commit
from tests.unit.world import World

SHOP = "shop"
WANTS = "etc/systemd/system/timers.target.wants"
AGAIN = f"autoupdatectl rename {APP} {SHOP}"
Call = Callable[..., int]


class Units:
    """Enables and disables timers as systemctl does, by links."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.reloads = 0

    def switch(self, unit: str, *, on: bool, now: bool = True) -> None:
        """Enable or disable a unit."""
        assert now
        link = self.world.root / WANTS / unit
        if on and not link.is_symlink():
            link.symlink_to("/usr/lib/systemd/system/any.timer")
        elif not on:
            link.unlink(missing_ok=True)

    def reload(self) -> None:
        """Reload unit files."""
        self.world.effect("reload")
        self.reloads += 1

    def __getattr__(self, name: str) -> Any:
        """Return what the services of the world have."""
        return getattr(self.world.services, name)


def settings(world: World) -> str:
    """Return the settings of the app."""
    return (
        f'path = "{world.settings.path}"\nservices = ["web.service"]\n'
        f'[upstream]\nurl = "https://x/y"\n[metrics]\ntextfile = "{world.root}/metrics"\n'
    )


def write(file: str, text: str) -> None:
    """Write a file."""
    os.makedirs(os.path.dirname(file), exist_ok=True)
    Path(file).write_text(text)


def left_with(world: World, name: str) -> list[str]:
    """Return the paths of the administrator that have a name."""
    return sorted(
        os.path.relpath(f"{place}/{found}", world.root)
        for top in ("etc", "run", "metrics")
        for place, directories, files in os.walk(world.root / top)
        for found in [*directories, *files]
        if name in found
    )


def steered(journal: Journal) -> list[tuple[str, str]]:
    """Return the app and the message of what administrators did."""
    return [
        (entry["AUTOUPDATE_APP"], entry["MESSAGE"])
        for entry in journal.entries
        if entry["AUTOUPDATE_EVENT"] == STEERED.name
    ]


def assert_renamed(world: World) -> None:
    """Check that nothing but the link to the directory has the old name."""
    paths, new = world.all_paths, world.all_paths.app(SHOP)
    assert left_with(world, APP) == []
    assert os.readlink(world.paths.home) == SHOP
    assert os.path.isdir(new.home)
    assert not os.path.islink(new.home)
    assert os.readlink(world.settings.path) == new.current
    assert world.at_path() == commit(1)
    found = load(paths, SHOP)
    assert (found.keep, found.path) == (4, world.settings.path)
    assert Path(paths.keys(SHOP), "author.asc").exists()
    assert Path(paths.hooks(SHOP), "pre-update.d/10-ask").exists()
    drop_in = Path(paths.administrators_units, "web.service.d", gate_drop_in.NAME)
    assert drop_in.read_text() == gate_drop_in.text(paths, SHOP)
    assert os.listdir(world.root / WANTS) == [f"autoupdate@{SHOP}.timer"]
    assert Path(paths.administrators_units, f"autoupdate@{SHOP}.timer.d/often.conf").exists()
    assert unremoved.read(new) == {f"{new.releases}/old": ("busy", f"rm {new.home}/x")}
    assert apps(paths) == [SHOP]
