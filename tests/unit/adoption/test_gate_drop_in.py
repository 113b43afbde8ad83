"""The drop-in that puts the gate before the start of a service."""

import os
from pathlib import Path

import pytest

from autoupdate.adoption import gate_drop_in
from autoupdate.adoption.gate_drop_in import disable, enable
from autoupdate.config.run_from import GATE
from autoupdate.model.errors import ConfigurationError
from tests.unit.world import World

UNITS = Path(__file__).parents[3] / "units"
SERVICE = "shop.service"


def administrators(world: World, name: str = gate_drop_in.NAME) -> Path:
    """Return a drop-in of the service in the administrator's directory."""
    return Path(world.all_paths.administrators_units, f"{SERVICE}.d", name)


def package(world: World) -> Path:
    """Put a drop-in of the package there, with the gate."""
    file = Path(world.root, f"usr/lib/systemd/system/{SERVICE}.d/50-autoupdate.conf")
    file.parent.mkdir(parents=True)
    file.write_text(f"[Service]\nExecStartPre=+{GATE} shop\n")
    return file


def test_enabled_and_disabled(world: World) -> None:
    file = administrators(world)
    assert enable(world.all_paths, world.units, SERVICE, "shop").changed
    assert file.stat().st_mode & 0o777 == 0o644
    assert not enable(world.all_paths, world.units, SERVICE, "shop").changed
    assert world.units.reloads == 1
    assert enable(world.all_paths, world.units, SERVICE, "other").changed, "of another app"
    assert disable(world.all_paths, world.units, SERVICE).changed
    assert not file.parent.exists()
    assert not disable(world.all_paths, world.units, SERVICE).changed
    assert world.units.reloads == 3


def test_it_does_what_that_of_the_package_does(world: World) -> None:
    """The package's own goes with the package; this one must do without the gate then."""
    ours = (UNITS / "ipfs-accelerate.service.d/50-autoupdate.conf").read_text()
    wanted = [line for line in ours.splitlines() if not line.startswith("#")]
    enable(world.all_paths, world.units, SERVICE, "ipfs-accelerate")
    made = administrators(world).read_text().replace(str(world.root), "")
    assert f"test ! -e {GATE} || exec {GATE} ipfs-accelerate" in made
    alone = made.replace(f'/bin/sh -c "test ! -e {GATE} || exec ', "").replace('"', "")
    assert [line for line in alone.splitlines() if not line.startswith("#")] == wanted


def test_the_packages_own_is_masked_and_counts_again(world: World) -> None:
    theirs = package(world)
    mask = administrators(world, "50-autoupdate.conf")
    assert disable(world.all_paths, world.units, SERVICE).changed
    assert os.readlink(mask) == "/dev/null"
    assert not disable(world.all_paths, world.units, SERVICE).changed
    assert enable(world.all_paths, world.units, SERVICE, "shop").changed
    assert not os.path.lexists(mask)
    assert theirs.exists()
    assert not administrators(world).exists()


def test_what_somebody_else_wrote_is_named_and_kept(world: World) -> None:
    file = administrators(world, "10-mine.conf")
    file.parent.mkdir(parents=True)
    file.write_text(f"[Service]\n# {GATE}\nExecStartPre=+{GATE} shop\n")
    enable(world.all_paths, world.units, SERVICE, "shop")
    with pytest.raises(ConfigurationError, match=r"10-mine\.conf calls the gate"):
        disable(world.all_paths, world.units, SERVICE)
    assert not administrators(world).exists()
    assert file.exists()
