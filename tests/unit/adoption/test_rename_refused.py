"""rename: what it refuses, with what to type first, and what stops it in the middle."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autoupdate.adoption import gate_drop_in
from autoupdate.adoption import rename as renames
from autoupdate.cli.verbs import rename as verb
from autoupdate.config.run_from import GATE
from autoupdate.host import runtime_files
from autoupdate.model.errors import Exit
from autoupdate.model.paths import AppPaths
from tests.unit.adoption.renaming import (
    AGAIN,
    SHOP,
    Call,
    assert_renamed,
    settings,
    write,
)
from tests.unit.effects import APP, commit
from tests.unit.world import World

Change = Callable[[World], Any]


def unit(name: str, text: str) -> Change:
    """Return what writes a unit file of the administrator."""
    return lambda world: write(f"{world.all_paths.administrators_units}/{name}", text)


def under(of: Callable[[AppPaths], str], name: str = APP) -> Change:
    """Return what writes a file of an app."""
    return lambda world: write(of(world.all_paths.app(name)), "{}")


def unfinished(world: World) -> None:
    """Begin an update that does not end."""
    world.records.begin("timer", commit(2), "", world.clock.now())


def without_path(world: World) -> None:
    """Take the path from the settings."""
    write(f"{world.all_paths.etc}/apps/{APP}.toml", '[upstream]\nurl = "https://x/y"\n')


def without_settings(world: World) -> None:
    """Remove the settings."""
    os.unlink(f"{world.all_paths.etc}/apps/{APP}.toml")
    shutil.rmtree(f"{world.all_paths.etc}/apps/{APP}.toml.d")


REFUSED: dict[str, tuple[Change, tuple[str, str], str, str]] = {
    "no valid name": (lambda _: None, (APP, "../x"), "cannot be the name of an app", ""),
    "the same name": (lambda _: None, (APP, APP), "has this name already", "another name"),
    "an unknown app": (lambda _: None, ("other", SHOP), "there is no app other", "other.toml"),
    "settings of the new name": (
        lambda world: write(f"{world.all_paths.etc}/apps/{SHOP}.toml", settings(world)),
        (APP, SHOP), f"there is an app {SHOP}", f"autoupdatectl status {SHOP}",
    ),
    "a state of the new name": (
        under(lambda place: place.state, SHOP), (APP, SHOP), f"lib/autoupdate/{SHOP} already",
        "give another name",
    ),
    "keys of the new name": (
        lambda world: write(f"{world.all_paths.keys(SHOP)}/a.asc", ""),
        (APP, SHOP), f"keys/{SHOP} already exists", "give another name",
    ),
    "an app of the package": (
        lambda world: write(f"{world.all_paths.vendor}/apps/{APP}.toml", ""),
        (APP, SHOP), "come with the package", f"apps/{SHOP}.toml",
    ),
    "a state without settings": (
        without_settings, (APP, SHOP), "has a state, but no settings",
        f"autoupdatectl forget {APP}",
    ),
    "no path": (without_path, (APP, SHOP), "path is not set", 'write path = "'),
    "an unfinished update": (
        unfinished, (APP, SHOP), "an update has not ended", f"autoupdatectl run {APP}",
    ),
    "an interrupted adoption": (
        under(lambda place: place.relocation), (APP, SHOP), "an adoption or its return",
        f"autoupdatectl run {APP}",
    ),
    "a gate by hand": (
        unit("api.service", f"[Service]\nExecStartPre=+{GATE} {APP}\n"), (APP, SHOP),
        f"api.service asks the gate of {APP}", f"autoupdatectl gate enable api.service {APP}",
    ),
    "a gate in a drop-in by hand": (
        unit("api.service.d/x.conf", f"[Service]\nExecStartPre=+{GATE} {APP}\n"), (APP, SHOP),
        f"api.service.d/x.conf asks the gate of {APP}", f"gate enable api.service {APP}",
    ),
    "a changed gate": (
        unit(f"api.service.d/{gate_drop_in.NAME}", f"[Service]\nExecStartPre=+{GATE} {APP}\n"),
        (APP, SHOP), "of an older version", f"autoupdatectl gate enable api.service {APP}",
    ),
    "a setting that names its keys": (
        lambda world: write(
            f"{world.all_paths.etc}/apps/{APP}.toml.d/20.toml",
            f'[upstream]\nurl = "https://x/y"\n# {world.all_paths.keys(APP)}/deploy\n',
        ),
        (APP, SHOP), "20.toml names ", "put what it names to where",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(
    deployed: World, call: Call, capsys: pytest.CaptureFixture[str], case: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    prepare, names, said, typed = REFUSED[case]
    monkeypatch.setattr(
        verb, "located", lambda found, *_: found._replace(path=deployed.settings.path)
    )
    prepare(deployed)
    assert call("rename", *names) == Exit.USAGE
    shown = capsys.readouterr().err
    assert said in shown, shown
    assert typed in shown, shown
    assert os.path.isdir(deployed.paths.home)
    assert not os.path.islink(deployed.paths.home)
    assert not os.path.exists(deployed.paths.renaming)
    assert os.readlink(deployed.settings.path) == deployed.paths.current


def test_others_gates_and_apps_are_left_alone(deployed: World, call: Call) -> None:
    """Names may begin in the same way."""
    more = f"{APP}-2"
    unit("api.service", f"[Service]\nExecStartPre=+{GATE} {more}\n#{GATE} {APP}\n")(deployed)
    write(f"{deployed.all_paths.keys(more)}/a.asc", "")
    assert call("rename", APP, SHOP) == Exit.DONE
    assert Path(deployed.all_paths.keys(more), "a.asc").exists()


def test_back_to_a_former_name(
    deployed: World, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    call("rename", APP, SHOP)
    assert call("rename", SHOP, APP) == Exit.USAGE
    assert f"{APP} is a former name of {SHOP}" in capsys.readouterr().err


def test_a_mount_point(
    deployed: World, call: Call, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda place: place == deployed.paths.home)
    assert call("rename", APP, SHOP) == Exit.USAGE
    assert "is a mount point" in capsys.readouterr().err


def test_while_a_run_is_under_way(deployed: World, call: Call) -> None:
    with runtime_files.exclusive(deployed.paths, APP, wait=False):
        assert call("rename", APP, SHOP) == Exit.BUSY
    assert not os.path.islink(deployed.paths.home)


def test_what_cannot_be_moved_is_told(
    deployed: World, call: Call, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted", "/etc/autoupdate/keys")

    with monkeypatch.context() as broken:
        broken.setattr(renames, "move", fail)
        assert call("rename", APP, SHOP) == Exit.FAILED
    shown = capsys.readouterr().err
    assert "the rename has not ended: /etc/autoupdate/keys: Operation not permitted" in shown
    assert f"fix that, then type again: {AGAIN}" in shown
    assert call("rename", APP, SHOP) == Exit.DONE
    assert_renamed(deployed)
