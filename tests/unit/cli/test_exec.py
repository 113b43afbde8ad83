"""exec: as whom, where, and with which environment a command runs."""

import pwd
from pathlib import Path

import pytest

from autoupdate.cli.main import main
from autoupdate.cli.parser import CommandLineError, parse
from autoupdate.cli.verbs.exec import environment_of, refuse_undeployed, user_of
from autoupdate.host.process import Identity
from autoupdate.model.errors import AutoupdateError, ConfigurationError, Exit
from tests.unit.effects import APP, SERVICES
from tests.unit.world import World

WEB, API, WORKER = SERVICES
# Users that Debian has on every host (base-passwd).
SYNC, NEWS = pwd.getpwnam("sync"), pwd.getpwnam("news")


def users(world: World, *names: str, **facts: str) -> None:
    """Set the users of the services."""
    for service, user in zip(SERVICES, names, strict=True):
        world.services.change(service, user=user, **facts)


def test_what_follows_the_dashes_is_the_command() -> None:
    for words in (["exec", "demo", "--", "ls", "--json", "--"], ["exec", "--", "x", "-h"]):
        chosen = parse(words)
        assert chosen.command == words[words.index("--") + 1 :]
    assert parse(["exec", "demo", "--", "x"]).app == "demo"
    for nothing in (["exec"], ["exec", "demo"], ["exec", "--"], ["exec", "demo", "ls"]):
        with pytest.raises(CommandLineError):
            parse(nothing)


def test_the_user_that_all_services_have(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    users(world, "sync", "sync", "sync")
    assert user_of(world.services, world.settings) == Identity("sync", SYNC.pw_uid, SYNC.pw_gid)
    users(world, "sync", "sync", "sync", group="news")
    assert user_of(world.services, world.settings) == Identity("sync", SYNC.pw_uid, NEWS.pw_gid)
    assert capsys.readouterr().err == ""
    users(world, "sync", "sync", "sync", group="no-such-group")
    with pytest.raises(ConfigurationError):
        user_of(world.services, world.settings)


@pytest.mark.parametrize("first", ["", "no-such-user", "sync"])
def test_several_users(world: World, capsys: pytest.CaptureFixture[str], first: str) -> None:
    users(world, first, "sync", "news")
    assert user_of(world.services, world.settings).name == "sync"
    assert "run as sync, the user of " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("user", "said"),
    [("", "its services run as root"), ("root", "runs as root"), ("0", "runs as root"),
     ("no-such-user", "the user no-such-user of web.service does not exist")],
)  # fmt: skip
def test_never_as_root(world: World, user: str, said: str) -> None:
    users(world, user, user, user)
    with pytest.raises(ConfigurationError) as caught:
        user_of(world.services, world.settings)
    assert said in caught.value.message
    assert f"sudo -u USER --chdir={world.settings.path} -- " in caught.value.advice


def test_no_service_says_as_whom(world: World) -> None:
    world.services.units.clear()
    with pytest.raises(ConfigurationError, match="not known which user"):
        user_of(world.services, world.settings)


def test_nothing_of_the_callers_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    made = environment_of("/srv/app", Identity("sync", SYNC.pw_uid, SYNC.pw_gid))
    assert made.pop("PATH").startswith("/srv/app/.venv/bin:/usr/")
    assert made == {
        "HOME": SYNC.pw_dir, "USER": "sync", "LOGNAME": "sync", "TERM": "xterm",
        "LANG": "de_DE.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip


def test_nothing_is_deployed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    file = Path(world.all_paths.etc, "apps", f"{APP}.toml")
    file.parent.mkdir(parents=True)
    file.write_text(f'path = "{world.settings.path}"\n[upstream]\nurl = "https://x/y"\n')
    with pytest.raises(AutoupdateError) as caught:
        refuse_undeployed(world.settings, world.paths)
    assert (caught.value.exit_code, caught.value.advice) == (1, f"autoupdatectl run {APP}")
    assert main(["exec", APP, "true"], world.all_paths) == Exit.USAGE
    assert "autoupdatectl exec [-h] [APP] -- COMMAND ..." in capsys.readouterr().err
    world.deploy(1)
    refuse_undeployed(world.settings, world.paths)
    Path(world.paths.current, ".venv/bin/python").unlink()
    with pytest.raises(AutoupdateError, match="not complete"):
        refuse_undeployed(world.settings, world.paths)
