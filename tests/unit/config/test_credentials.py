"""[[build.credentials]]: which tables are accepted, and which files `config check` refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from autoupdate.cli.main import main
from autoupdate.config import applied
from autoupdate.config.load import load
from autoupdate.config.settings import credentials
from autoupdate.model.errors import Exit
from autoupdate.model.paths import Paths

TOKEN = {"host": "git.example", "token_file": "/etc/token"}
KEY = {"host": "git.example", "ssh_key": "/etc/key", "known_hosts": "/etc/known_hosts"}


def test_a_token_and_a_key_for_one_host() -> None:
    token, key = credentials([{**TOKEN, "host": "Git.example:8443"}, KEY])
    assert (token.host, token.name, key.name) == ("git.example:8443", "git.example", "git.example")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, r"\[\[build.credentials\]\]"),
        ([{"token_file": "/x"}], "number 1 has no host"),
        ([{**TOKEN, "pasword": "x"}], "number 1 has an unknown key 'pasword'; known: host, "),
        ([{**TOKEN, "host": "https://git.example/"}], "number 1: host must be the name of a host"),
        ([{"host": "a.example"}], "number 1 needs either token_file or ssh_key"),
        ([{**TOKEN, **KEY}], "number 1 needs either token_file or ssh_key"),
        ([{**TOKEN, "known_hosts": "/x"}], "number 1: known_hosts belongs to ssh_key"),
        ([{**KEY, "username": "x"}], "number 1: username belongs to token_file"),
        ([{**TOKEN, "token_file": "token"}], "number 1: token_file must be an absolute path"),
        ([TOKEN, KEY, {**TOKEN, "host": "git.example:81"}],
         "number 3: host git.example has a token_file already"),
    ],
)  # fmt: skip
def test_tables_that_are_refused(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        credentials(value)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Return a host with one app, which has a token for its builds."""
    paths = Paths(str(tmp_path))
    token = tmp_path / "token"
    token.write_text("secret-word\n")
    token.chmod(0o600)
    write(paths, token)
    return paths


def write(paths: Paths, token: Path, more: str = "") -> None:
    """Write the settings of the app."""
    file = Path(paths.etc, "apps/shop.toml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f'path = "{paths.root}/srv/shop"\n[upstream]\nurl = "https://upstream.example/app.git"\n'
        f'[[build.credentials]]\nhost = "pypi.example"\ntoken_file = "{token}"\n{more}'
    )


def checked(paths: Paths, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    """Return the errors of `config check`."""
    status = main(["config", "check", "--json"], paths)
    faults = list(json.loads(capsys.readouterr().out)["apps"][0]["faults"])
    assert status == (Exit.USAGE if faults else Exit.DONE)
    return faults


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("x", 0o644, "others may read"),
        ("x", 0o640, "others may read"),
        (" \n", 0o600, "is empty"),
        ("one\ntwo", 0o600, "is not one line of ASCII characters"),
        (None, 0, "No such file"),
    ],
)
def test_files_that_config_check_refuses(
    paths: Paths, capsys: pytest.CaptureFixture[str], content: str | None, mode: int, said: str
) -> None:
    token = Path(paths.root, "token")
    assert checked(paths, capsys) == []
    token.unlink()
    if content is not None:
        token.write_text(content)
        token.chmod(mode)
    (fault,) = checked(paths, capsys)
    file = f"{paths.etc}/apps/shop.toml"
    where = f"{file}: build.credentials for pypi.example: token_file: "
    assert fault["message"].startswith(where)
    assert said in fault["message"]


def test_config_check_has_file_and_key(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    twice = '[[build.credentials]]\nhost = "pypi.example"\ntoken_file = "/x"\n'
    write(paths, Path(paths.root, "token"), twice)
    (fault,) = checked(paths, capsys)
    said = "build.credentials number 2: host pypi.example has a token_file already"
    assert fault["message"] == f"{paths.etc}/apps/shop.toml: {said}"


def test_credential_of_systemd_is_not_looked_for(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    write(paths, Path("credential:token"))
    assert checked(paths, capsys) == []


def test_secrets_are_not_shown_and_make_no_other_release(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    before = load(paths, "shop")
    assert main(["config", "show", "shop"], paths) == Exit.DONE
    shown = capsys.readouterr().out
    assert f"{paths.root}/token" in shown
    assert "secret-word" not in shown
    write(paths, Path(paths.root, "another"))
    assert applied.changed(applied.write(before), load(paths, "shop")) == []


def test_config_check_names_what_uv_is_not_given(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(paths.root, "etc/pip.conf")
    file.parent.mkdir(exist_ok=True)
    file.write_text("[global]\nkeyring-provider = import\nproxy = http://proxy.example\n")

    def warnings() -> list[str]:
        main(["config", "check", "--json"], paths)
        found = json.loads(capsys.readouterr().out)["apps"][0]["warnings"]
        return [text for text in found if str(file) in text]

    (said,) = warnings()
    assert said.startswith(f"{file}: keyring-provider is not handed over")
    write(paths, Path(paths.root, "token"), '[build]\ninstaller = "pip"\n')
    settings = Path(paths.etc, "apps/shop.toml")
    text = settings.read_text().replace("[build]\n", "").replace('installer = "pip"\n', "")
    settings.write_text(text.replace("[upstream]", '[build]\ninstaller = "pip"\n[upstream]'))
    assert warnings() == []
