"""rename: services run on, and a rename that was interrupted goes on when it is typed again."""

import json
import os
import shutil
from pathlib import Path

import pytest

from autoupdate.adoption import rename as renames
from autoupdate.adoption import renameat2
from autoupdate.config import renamed
from autoupdate.config.load import apps, foreign, load
from autoupdate.host.links import is_managed
from autoupdate.model.errors import ConfigurationError, Exit
from autoupdate.service_start import gate
from tests.unit.adoption.renaming import (
    AGAIN,
    SHOP,
    Call,
    Units,
    assert_renamed,
    settings,
    steered,
    write,
)
from tests.unit.conftest import Journal
from tests.unit.effects import APP, Killed, commit
from tests.unit.guard import GUARD
from tests.unit.world import World


def test_everything_gets_the_new_name(
    deployed: World, call: Call, units: Units, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    with open(deployed.paths.state, "rb") as state:
        before = os.fstat(state.fileno()).st_ino
    assert call("rename", APP, SHOP) == Exit.DONE
    release = deployed.release_of(1)
    assert capsys.readouterr().out.replace(str(deployed.root), "") == (
        f"{APP} was renamed to {SHOP}\n"
        f"  /var/lib/autoupdate/{APP} is kept as a link to it, for release {release}\n"
        f"  to remove it when nothing needs it any more: autoupdatectl forget {APP}\n"
    )
    assert_renamed(deployed)
    assert os.stat(deployed.all_paths.app(SHOP).state).st_ino == before
    assert units.reloads == 1
    assert deployed.transient_units.ended == [APP]
    assert steered(journal) == [(SHOP, f"{SHOP}: renamed from {APP}")]
    assert call("rename", APP, SHOP) == Exit.DONE, "it says so"
    assert f"{APP} was renamed to {SHOP}" in capsys.readouterr().out


def test_json(deployed: World, call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("rename", "--json", APP, SHOP) == Exit.DONE
    assert json.loads(capsys.readouterr().out) == {
        "app": SHOP, "renamed_from": APP, "link": deployed.paths.home,
        "needed_by": [f"release {deployed.release_of(1)}"], "named_in": [],
    }  # fmt: skip


def test_commands_that_have_the_former_name_are_named(
    deployed: World, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = deployed.all_paths
    cron = f"{paths.crontabs[0]}/check"
    write(cron, f"0 5 * * * root autoupdatectl check --json {APP} >/dev/null\n")
    backup = f"{paths.administrators_units}/backup.service"
    write(backup, f"[Unit]\nAfter=autoupdate@{APP}.service\n")
    write(f"{paths.administrators_units}/other.service",
          f"[Unit]\n#After=autoupdate@{APP}.service\nAfter=autoupdate@{APP}-2.service\n"
          f"[Service]\nExecStart=autoupdatectl run {APP}-2\n")  # fmt: skip
    assert call("rename", APP, SHOP) == Exit.DONE
    told = capsys.readouterr().out.splitlines()
    assert [line for line in told if "still" in line] == [
        f"  {file} still has a command for {APP}; write {SHOP} there" for file in (backup, cron)
    ]


def test_an_app_that_was_never_deployed(
    world: World, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing needs its former name."""
    write(f"{world.all_paths.etc}/apps/web.toml", settings(world))
    assert call("rename", "web", SHOP) == Exit.DONE
    assert capsys.readouterr().out == f"web was renamed to {SHOP}\n"
    assert not os.path.lexists(world.all_paths.app("web").home)
    assert load(world.all_paths, SHOP).path == world.settings.path


def test_a_file_system_that_cannot_exchange(
    deployed: World, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exchange(*_: object, **__: object) -> None:
        raise OSError(renameat2.UNSUPPORTED[0], "Invalid argument")

    monkeypatch.setattr(renames, "exchange", exchange)
    assert call("rename", APP, SHOP) == Exit.DONE
    assert_renamed(deployed)


def test_a_second_rename(deployed: World, call: Call) -> None:
    """All former names lead to the directory, and not through each other."""
    assert call("rename", APP, "web") == Exit.DONE
    assert call("rename", "web", SHOP) == Exit.DONE
    assert os.readlink(deployed.paths.home) == SHOP
    assert not os.path.lexists(deployed.all_paths.app("web").home), "no release has that name"


def killed_after(world: World, number: int, call: Call) -> bool:
    """Rename, and die before a change of the file system; return false if it ended before."""
    world.effects, world.die_at, world.dead = 0, number, False
    GUARD.before_change = world.effect
    try:
        call("rename", APP, SHOP)
    except Killed:
        return True
    finally:
        GUARD.before_change = None
        world.dead, world.die_at = False, 0
    return False


@pytest.mark.parametrize("can_exchange", [True, False])
def test_interrupted_after_each_step(
    deployed: World, call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    journal: Journal, monkeypatch: pytest.MonkeyPatch, *, can_exchange: bool,
) -> None:  # fmt: skip
    if not can_exchange:

        def exchange(*_: object, **__: object) -> None:
            raise OSError(renameat2.UNSUPPORTED[0], "Invalid argument")

        monkeypatch.setattr(renames, "exchange", exchange)
    deployed.records.close()
    places = ("etc", "var", "run", "srv", "metrics")
    for place in places:
        shutil.copytree(tmp_path / place, tmp_path / "before" / place, symlinks=True)
    number, kept = 0, 0
    while True:
        number += 1
        if not killed_after(deployed, number, call):
            break
        capsys.readouterr()
        kept += assert_services_start(deployed, can_exchange=can_exchange)
        assert_told(deployed, call, capsys)
        assert call("rename", APP, SHOP) == Exit.DONE, (number, capsys.readouterr().err)
        assert_renamed(deployed)
        for place in places:
            shutil.rmtree(tmp_path / place)
            shutil.copytree(tmp_path / "before" / place, tmp_path / place, symlinks=True)
    assert number > 30
    assert kept > 20, "mostly, the record of the rename was there"
    assert journal.entries


def assert_services_start(world: World, *, can_exchange: bool) -> bool:
    """Check that a service finds its release, and passes its gate; return if a rename is open."""
    new = world.all_paths.app(SHOP)
    open_ = bool(renamed.unfinished(world.paths) or renamed.unfinished(new))
    if not can_exchange and not os.path.lexists(world.paths.home):
        # For a moment that no step of ours can avoid there.
        return open_
    assert world.at_path() == commit(1)
    assert Path(world.settings.path, "VERSION").exists()
    assert any(is_managed(world.settings.path, place) for place in (world.paths, new))
    for name in (APP, SHOP):
        # That of a dead process does not count; this one lives.
        Path(world.all_paths.app(name).activating).unlink(missing_ok=True)
        assert gate.main([name], world.all_paths, lambda *_: "", world.transient_units) == 0
    return open_


def assert_told(world: World, call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that a run refuses to begin, and says what to type."""
    for place in (world.paths, world.all_paths.app(SHOP)):
        if not renamed.unfinished(place):
            continue
        name = os.path.basename(place.home)
        assert call("run", name) == Exit.USAGE
        assert f"type again: {AGAIN}" in capsys.readouterr().err
        assert call("status", name) == Exit.USAGE
        shown = capsys.readouterr()
        assert f"type again: {AGAIN}" in shown.err
        if os.path.exists(world.settings.path):
            assert ": current (" in shown.out, shown.out
        assert commit(1)[:12] in shown.out


def test_another_name_while_one_has_not_ended(
    deployed: World, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    assert killed_after(deployed, 20, call)
    assert call("rename", APP, "other") == Exit.USAGE
    assert AGAIN in capsys.readouterr().err
    assert call("forget", "--yes", APP) == Exit.USAGE
    assert AGAIN in capsys.readouterr().err


def test_somebody_made_the_new_directory_meanwhile(
    deployed: World, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    number = 0
    while not os.path.exists(deployed.paths.renaming):
        number += 1
        assert killed_after(deployed, number, call)
    home = deployed.all_paths.app(SHOP).home
    Path(home).unlink(missing_ok=True)
    os.mkdir(home)
    assert call("rename", APP, SHOP) == Exit.FAILED
    assert f"{home}: it already exists" in capsys.readouterr().err
    assert Path(deployed.all_paths.etc, "apps", f"{APP}.toml").exists()
    os.rmdir(home)
    assert call("rename", APP, SHOP) == Exit.DONE
    assert_renamed(deployed)


def test_the_state_is_on_another_disk(deployed: World, call: Call) -> None:
    """An administrator moved it there, and left a link."""
    disk = f"{deployed.root}/disk"
    deployed.records.close()
    os.rename(deployed.paths.home, disk)
    os.symlink(disk, deployed.paths.home)
    assert call("rename", APP, SHOP) == Exit.DONE
    assert os.readlink(deployed.all_paths.app(SHOP).home) == disk
    assert os.readlink(deployed.paths.home) == SHOP
    assert deployed.at_path() == commit(1)


def test_the_former_name_is_no_app(
    deployed: World, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    call("rename", APP, SHOP)
    for words in (("run", APP), ("status", APP), ("exec", APP, "--", "true"), ("doctor", APP)):
        assert call(*words) == Exit.USAGE
        shown = capsys.readouterr().err
        assert f"{APP} was renamed to {SHOP}" in shown, words
    # A gate that somebody wrote by hand since.
    assert gate.main([APP], deployed.all_paths, lambda *_: "", deployed.transient_units) == 0
    assert f"{APP} was renamed to {SHOP}; the service starts on release" in capsys.readouterr().err
    write(f"{deployed.all_paths.etc}/apps/{APP}.toml", settings(deployed))
    with pytest.raises(renamed.RenamedError) as caught:
        load(deployed.all_paths, APP)
    assert f"autoupdatectl forget {APP}" in caught.value.advice
    assert apps(deployed.all_paths) == [SHOP]
    (found,) = foreign(deployed.all_paths)
    assert found[1] == f"its app was renamed to {SHOP}"


def test_the_former_name_is_forgotten_when_nothing_needs_it(
    deployed: World, call: Call, capsys: pytest.CaptureFixture[str], journal: Journal
) -> None:
    call("rename", APP, SHOP)
    release = deployed.release_of(1)
    assert call("forget", "--yes", APP) == Exit.USAGE
    assert f"is needed by release {release}" in capsys.readouterr().err
    os.unlink(f"{deployed.all_paths.app(SHOP).release(release)}/.venv/bin/serve")
    other = f"{deployed.all_paths.administrators_units}/other.service"
    write(other, f"[Service]\nReadWritePaths=-{deployed.paths.shared}\n")
    assert call("forget", "--yes", APP) == Exit.USAGE
    assert f"is needed by {other}" in capsys.readouterr().err
    os.unlink(other)
    deployed.services.runs_from["web.service"] = deployed.paths.current
    write(f"{deployed.root}/usr/lib/systemd/system/web.service", "[Service]\n")
    assert call("forget", "--yes", APP) == Exit.USAGE
    assert "is needed by web.service" in capsys.readouterr().err
    deployed.services.runs_from["web.service"] = deployed.settings.path
    assert call("forget", "--yes", APP) == Exit.DONE
    assert not os.path.lexists(deployed.paths.home)
    assert not os.path.lexists(deployed.paths.run)
    assert deployed.at_path() == commit(1)
    assert steered(journal)[1:] == [(SHOP, f"{SHOP}: its former name {APP} was removed")]
    with pytest.raises(ConfigurationError, match="there is no app"):
        load(deployed.all_paths, APP)


def test_forgotten_with_all_its_names(deployed: World, call: Call) -> None:
    call("rename", APP, SHOP)
    for name in deployed.services.units:
        deployed.services.change(name, active="inactive", sub="dead")
    assert call("forget", "--yes", "--shared", SHOP) == Exit.DONE
    assert os.listdir(os.path.dirname(deployed.paths.home)) == []
