"""Which files make up the configuration of an app, and what is said of bad ones."""

import os
import stat
from pathlib import Path

import pytest

from autoupdate.config import last_valid, load
from autoupdate.model.errors import ConfigurationError, Exit
from autoupdate.model.paths import Paths

BASE = """
path = "/opt/app"
[upstream]
url = "https://upstream.example/app.git"
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Return the paths of a host on which the app `demo` has the least of settings."""
    paths = Paths(str(tmp_path))
    write(f"{paths.etc}/apps/demo.toml", BASE)
    return paths


def write(file: str, text: str | bytes) -> None:
    """Write a file and the directories above it."""
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def refusal(paths: Paths, app: str = "demo") -> str:
    """Return the one line with which a configuration is refused."""
    with pytest.raises(ConfigurationError) as caught:
        load.load(paths, app)
    assert caught.value.exit_code == Exit.USAGE
    assert "\n" not in caught.value.message
    return caught.value.message


def test_defaults(paths: Paths) -> None:
    loaded = load.load(paths, "demo")
    assert (loaded.app, loaded.path) == ("demo", "/opt/app")
    assert loaded.upstream.track == "branch:main"
    assert (loaded.keep, loaded.build.timeout, loaded.start.if_update_fails) == (3, 1800.0, "block")


def test_later_files_win(paths: Paths) -> None:
    app = "apps/demo.toml"
    order = [
        f"{paths.vendor}/autoupdate.toml",
        f"{paths.vendor}/autoupdate.toml.d/10.toml",
        f"{paths.vendor}/{app}",
        f"{paths.vendor}/{app}.d/10.toml",
        f"{paths.etc}/autoupdate.toml",
        f"{paths.etc}/autoupdate.toml.d/10.toml",
        f"{paths.etc}/{app}",
        f"{paths.etc}/{app}.d/10.toml",
        f"{paths.etc}/{app}.d/9.toml",
    ]
    for number, file in enumerate(order, 10):
        write(file, BASE.replace("[upstream]", f"keep = {number}\n[upstream]"))
        merged = load.read(paths, "demo")
        assert (merged["keep"].value, merged["keep"].origin) == (number, file)


def test_one_key_does_not_reset_the_others_of_its_table(paths: Paths) -> None:
    write(f"{paths.etc}/apps/demo.toml.d/50.toml", '[upstream]\ntrack = "branch:next"\n')
    loaded = load.load(paths, "demo")
    assert loaded.upstream.url == "https://upstream.example/app.git"
    assert loaded.upstream.track == "branch:next"


def test_app_that_is_described_by_a_directory_alone(paths: Paths) -> None:
    write(f"{paths.etc}/apps/other.toml.d/10.toml", BASE)
    assert load.load(paths, "other").path == "/opt/app"
    assert load.apps(paths) == ["demo", "other"]


def test_default_app(paths: Paths) -> None:
    assert load.default_app(paths) == "demo"
    write(f"{paths.etc}/apps/other.toml", BASE)
    with pytest.raises(ConfigurationError, match="name one") as caught:
        load.default_app(paths)
    assert caught.value.advice == "known: demo, other"
    write(f"{paths.etc}/apps/ipfs-accelerate.toml", BASE)
    assert load.default_app(paths) == "ipfs-accelerate"


def test_editors_hidden_files_are_left_out(paths: Paths) -> None:
    write(f"{paths.etc}/apps/.demo.toml.swp", b"\xff")
    load.load(paths, "demo")


@pytest.mark.parametrize(
    ("addition", "said"),
    [
        ('pathh = "/x"', ["'pathh'", "'path'"]),
        ('[upstraem]\nurl = "x"', ["'upstraem'", "'upstream'"]),
        ('[health]\nsok = "1s"', ["'health.sok'", "'health.soak'"]),
        ('[build]\nsoak = "1s"', ["'build.soak'", "'health.soak'"]),
        ("zzzz = 1", ["'zzzz'", "known:", "upstream"]),
        ("keep = true", ["keep", "whole number"]),
        ('services = "a.service"', ["services", "list of strings"]),
        ('[start]\nupdate = "yes"', ["start.update", "true or false"]),
        ('[start]\nif_update_fails = "maybe"', ["start.if_update_fails", '"block" or "start"']),
        ('health = "1s"', ["health", "[health]"]),
        ("[services]\na = 1", ["services", "list"]),
        ("[[upstream]]\nurl = 1", ["upstream", "[upstream]"]),
        ("not toml", ["is not TOML", "line 1"]),
        ("keep = 1\nkeep = 2", ["is not TOML"]),
        ("keep = " + "9" * 5000, ["is not TOML", "digits"]),
        ('path = "opt/app"', ["path", "absolute"]),
        ('[upstream]\nurl = "somewhere"', ["upstream.url", "URL"]),
        ('[trust]\nsignatures = "yes"', ["trust.signatures", '"enforce"']),
    ],
)
def test_bad_file(paths: Paths, addition: str, said: list[str]) -> None:
    file = f"{paths.etc}/apps/demo.toml.d/50.toml"
    write(file, addition)
    message = refusal(paths)
    assert message.startswith(file)
    for words in said:
        assert words in message


@pytest.mark.parametrize(
    ("content", "said"),
    [(b'path = "\xff"', "is not UTF-8 at byte 8"), (b"a=" + b"[" * 100_000, "is not TOML")],
)
def test_file_that_is_no_text(paths: Paths, content: bytes, said: str) -> None:
    file = f"{paths.etc}/autoupdate.toml"
    write(file, content)
    assert refusal(paths).startswith(f"{file}: {said}")


@pytest.mark.parametrize("name", ["50-mine.conf", "50.TOML", "README"])
def test_other_suffix(paths: Paths, name: str) -> None:
    write(f"{paths.etc}/apps/demo.toml.d/{name}", "")
    assert refusal(paths).startswith(f"{paths.etc}/apps/demo.toml.d/{name}: only files")


LEFTOVERS = (
    "demo.toml.bak", "#demo.toml#", "demo.toml~", "demo.toml.dpkg-old", "demo.toml.ucf-dist",
    "demo.toml.bak2", "demo.toml.disabled",
)  # fmt: skip


@pytest.mark.parametrize("name", [*LEFTOVERS, "README", "demo.TOML"])
def test_foreign_files_beside_the_apps_are_no_settings(paths: Paths, name: str) -> None:
    write(f"{paths.etc}/apps/{name}", b"\xff")
    load.load(paths, "demo")
    assert load.apps(paths) == ["demo"]
    assert [file for file, _ in load.foreign(paths)] == [f"{paths.etc}/apps/{name}"]


@pytest.mark.parametrize("name", [name.replace("demo", "50") for name in LEFTOVERS])
@pytest.mark.parametrize("directory", ["autoupdate.toml.d", "apps/demo.toml.d"])
def test_leftovers_among_drop_ins_are_no_settings(paths: Paths, directory: str, name: str) -> None:
    write(f"{paths.etc}/{directory}/{name}", b"\xff")
    load.load(paths, "demo")
    assert [file for file, _ in load.foreign(paths)] == [f"{paths.etc}/{directory}/{name}"]


@pytest.mark.parametrize("place", ["apps/{}.toml", "apps/demo.toml.d/{}.toml"])
def test_what_is_no_regular_file_is_never_opened(paths: Paths, place: str) -> None:
    """Opening a FIFO would wait for ever."""
    made = [f"{paths.etc}/{place.format(name)}" for name in ("directory", "fifo", "socket")]
    Path(made[0]).mkdir(parents=True)
    os.mkfifo(made[1])
    os.mknod(made[2], stat.S_IFSOCK | 0o644)
    load.load(paths, "demo")
    assert load.apps(paths) == ["demo"]
    assert dict(load.foreign(paths)) == dict.fromkeys(made, "it is not a regular file")


def test_fifo_in_the_place_of_an_apps_own_file(paths: Paths) -> None:
    write(f"{paths.etc}/apps/demo.toml.d/10.toml", BASE)
    Path(f"{paths.etc}/apps/demo.toml").unlink()
    os.mkfifo(f"{paths.etc}/apps/demo.toml")
    assert "demo.toml: cannot be read: it is not a regular file" in refusal(paths)


def test_file_of_an_absurd_size(paths: Paths) -> None:
    write(f"{paths.etc}/autoupdate.toml", b"#" * (load.LARGEST + 1))
    assert "autoupdate.toml: is larger than" in refusal(paths)


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
@pytest.mark.parametrize(
    "file", ["etc/autoupdate/apps/demo.toml", "etc/autoupdate/autoupdate.toml.d/10.toml"]
)
def test_settings_that_others_may_write_are_refused(paths: Paths, file: str, mode: int) -> None:
    write(f"{paths.root}/{file}", BASE)
    Path(paths.root, file).chmod(mode)
    assert f"{file}: is not trusted" in refusal(paths)


def test_settings_in_a_directory_that_others_may_write_are_refused(paths: Paths) -> None:
    Path(paths.etc, "apps").chmod(0o777)
    assert "is not trusted" in refusal(paths)


def test_settings_of_another_user_are_refused(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert "belongs to user" in refusal(paths)


def test_last_valid_settings(paths: Paths, tmp_path: Path) -> None:
    kept = str(tmp_path / "settings.json")
    assert last_valid.read(kept, "demo") is None
    write(f"{paths.etc}/apps/demo.toml.d/10.toml", 'keep = 7\n[health]\nsoak = "7s"\n')
    settings, values = load.load_with_values(paths, "demo")
    last_valid.keep(kept, values)
    assert last_valid.read(kept, "demo") == settings._replace(files=())
    Path(kept).write_text('{"keep": ["many", "file"]}')
    assert last_valid.read(kept, "demo") is None


def test_last_valid_settings_are_as_secret_as_the_files(paths: Paths, tmp_path: Path) -> None:
    kept = tmp_path / "settings.json"
    _, values = load.load_with_values(paths, "demo")
    last_valid.keep(str(kept), values)
    assert kept.stat().st_mode & 0o777 == 0o644
    Path(paths.etc, "apps/demo.toml").chmod(0o600)
    last_valid.keep(str(kept), values)
    assert kept.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_read(paths: Paths) -> None:
    Path(f"{paths.etc}/autoupdate.toml").mkdir()
    assert "cannot be read: Is a directory" in refusal(paths)


def test_dangling_link(paths: Paths) -> None:
    Path(f"{paths.etc}/autoupdate.toml").symlink_to("/nowhere")
    assert "autoupdate.toml: cannot be read" in refusal(paths)


def test_file_where_a_directory_belongs(paths: Paths) -> None:
    write(f"{paths.etc}/autoupdate.toml.d", "")
    assert "autoupdate.toml.d: must be a directory" in refusal(paths)


def test_app_that_does_not_exist(paths: Paths) -> None:
    assert "there is no app demmo on this host; did you mean 'demo'?" in refusal(paths, "demmo")


@pytest.mark.parametrize(
    "name", ["", "../demo", "Demo", "a/b", ".d", "a b", "x" * 64, "x" * 260, "démo", "a\n"]
)
def test_name_that_no_app_can_have(paths: Paths, name: str) -> None:
    assert "cannot be the name of an app" in refusal(paths, name)


def test_setting_without_default(paths: Paths) -> None:
    write(f"{paths.etc}/apps/demo.toml", "keep = 2")
    assert "demo: upstream.url is not set, and has no default" in refusal(paths)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('"auto"', ""),
        ('"off"', ""),
        ('["web.service"]', ""),
        ("[]", ""),
        ('"on"', "auto"),
        ('["other.service"]', "not one of services"),
        ('["web"]', "not a service unit"),
    ],
)
def test_services_of_rehearsals(paths: Paths, value: str, said: str) -> None:
    text = f'services = ["web.service"]\n{BASE}[rehearse]\nservices = {value}\n'
    write(f"{paths.etc}/apps/demo.toml", text)
    if not said:
        assert load.load(paths, "demo").rehearse.time == 20.0
        return
    with pytest.raises(ConfigurationError, match=said) as raised:
        load.load(paths, "demo")
    assert "rehearse.services" in str(raised.value)
