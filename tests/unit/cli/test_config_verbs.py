"""config check and config show: errors and warnings, and the file that sets each value."""

import json
import os
from pathlib import Path

import pytest

from autoupdate.cli.main import main
from autoupdate.cli.render.configuration import check
from autoupdate.config import last_valid
from autoupdate.config.load import load_with_values
from autoupdate.model.errors import Exit
from autoupdate.model.paths import Paths
from tests.unit.cli.test_golden import compare


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Return a host with one app, configured by the package."""
    paths = Paths(str(tmp_path))
    write(f"{paths.vendor}/apps/ipfs-accelerate.toml",
          'path = "/opt/app"\n[upstream]\nurl = "https://upstream.example/app.git"\n')  # fmt: skip
    return paths


def write(file: str, text: str) -> None:
    """Write a file of settings."""
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(text)


def test_every_error_of_every_file(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    write(f"{paths.etc}/apps/ipfs-accelerate.toml", 'pathh = "/x"\nkeep = 0\n')
    write(f"{paths.etc}/apps/ipfs-accelerate.toml.d/10.toml", 'upstream = 3\n[build]\nextras = ""')
    write(f"{paths.etc}/apps/website.toml", "path = [\n")
    assert main(["config", "check"], paths) == Exit.USAGE
    capsys.readouterr()
    assert main(["config", "check", "--json"], paths) == Exit.USAGE
    told = json.loads(capsys.readouterr().out.replace(paths.root, ""))
    compare("config-check-faults", check(told), Path(paths.root))
    assert {one["app"]: len(one["faults"]) for one in told["apps"]} == {
        "ipfs-accelerate": 4, "website": 1,
    }  # fmt: skip


def test_warnings(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        f"{paths.etc}/apps/ipfs-accelerate.toml",
        'path = "/tmp/app"\nservices = ["web.service", "api@1.service"]\n'
        '[upstream]\nurl = "http://me:secret@upstream.example/app.git"\n[health]\nsoak = "0s"\n',
    )
    write(f"{paths.unit_directories[-1]}/api@.service", "[Service]\n")
    assert main(["config", "check", "--json"], paths) == Exit.DONE, "a warning is not an error"
    text = capsys.readouterr().out.replace(paths.root, "")
    assert "secret" not in text
    compare("config-check-warnings", check(json.loads(text)), Path(paths.root))


@pytest.mark.parametrize(
    ("build", "said"),
    [
        ('install = "wheel"\neditable = true', True),
        ('install = "none"\neditable = true', True),
        ('install = "editable"\neditable = false', True),
        ('install = "wheel"\neditable = false', False),
        ('install = "wheel"', False),
        ('install = "auto"\neditable = false', False),
    ],
)
def test_two_settings_that_contradict_each_other(
    paths: Paths, capsys: pytest.CaptureFixture[str], build: str, said: bool
) -> None:
    write(f"{paths.etc}/apps/ipfs-accelerate.toml", f"[build]\n{build}\n")
    assert main(["config", "check"], paths) == Exit.DONE
    assert ("only build.install counts" in capsys.readouterr().out) is said


def test_hook_that_cannot_run(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    hook = f"{paths.hooks('ipfs-accelerate')}/pre-update.d/drain"
    write(hook, "#!/bin/sh\n")
    assert main(["config", "check", "ipfs-accelerate"], paths) == Exit.USAGE
    assert f"hook {hook} cannot run" in " ".join(capsys.readouterr().out.split())


def test_window_that_cannot_be_read(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    file = f"{paths.etc}/apps/ipfs-accelerate.toml"
    write(file, '[windows]\nallowed = ["at night"]\n')
    assert main(["config", "check", "--json"], paths) == Exit.USAGE
    (fault,) = json.loads(capsys.readouterr().out)["apps"][0]["faults"]
    assert fault["message"].startswith(f'{file}: windows.allowed: "at night"')


def test_signatures_without_keys(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    write(f"{paths.etc}/autoupdate.toml", '[trust]\nsignatures = "enforce"\n')
    assert main(["config", "check"], paths) == Exit.USAGE
    assert "there is no trusted key in" in " ".join(capsys.readouterr().out.split())


def test_good_settings(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check"], paths) == Exit.DONE
    assert capsys.readouterr().out == "ipfs-accelerate: no errors\n"


def test_show(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    file = f"{paths.etc}/autoupdate.toml"
    write(file, '[notify]\nurls = ["json://user:secret@example.org"]\n')
    assert main(["config", "show", "--json"], paths) == Exit.DONE
    text = capsys.readouterr().out
    told = json.loads(text)["settings"]
    assert told["notify.urls"] == {"value": ["json://…"], "origin": file}
    assert told["keep"] == {"value": 3, "origin": None}
    assert told["path"]["origin"] == f"{paths.vendor}/apps/ipfs-accelerate.toml"
    assert main(["config", "show"], paths) == Exit.DONE
    words = capsys.readouterr().out
    assert "secret" not in text + words
    assert words.index("built-in defaults") < words.index("\n  path")


def test_app_that_cannot_be_checked_does_not_hide_the_others(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    write(f"{paths.etc}/apps/Shop.toml", "")
    write(f"{paths.etc}/apps/website.toml", "path = [\n")
    assert main(["config", "check", "--json"], paths) == Exit.USAGE
    told = json.loads(capsys.readouterr().out)["apps"]
    assert {one["app"]: len(one["faults"]) for one in told} == {
        "Shop": 1, "ipfs-accelerate": 0, "website": 1,
    }  # fmt: skip
    assert main(["status", "--json"], paths) == Exit.USAGE
    printed = capsys.readouterr()
    assert [one["app"] for one in json.loads(printed.out)["apps"]] == ["ipfs-accelerate"]
    shop, website, *_ = (line for line in printed.err.splitlines() if "autoupdatectl:" in line)
    assert shop.startswith("autoupdatectl: Shop: 'Shop' cannot be the name of an app")
    assert website.startswith("autoupdatectl: website: ")
    assert "website.toml: is not TOML" in website


def test_foreign_files_are_warnings(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    write(f"{paths.etc}/apps/web.toml.bak", "path = [")
    assert main(["config", "check", "--json"], paths) == Exit.DONE
    (warning,) = json.loads(capsys.readouterr().out)["warnings"]
    assert warning.startswith(f"{paths.etc}/apps/web.toml.bak is ignored")
    assert main(["config", "check"], paths) == Exit.DONE
    assert "web.toml.bak" in capsys.readouterr().out
    assert main(["status", "--json"], paths) == Exit.DONE
    assert json.loads(capsys.readouterr().out)["app"] == "ipfs-accelerate"


def test_status_by_the_last_valid_settings(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    app = "ipfs-accelerate"
    Path(paths.app(app).home).mkdir(parents=True)
    last_valid.keep(paths.app(app).last_valid, load_with_values(paths, app)[1])
    write(f"{paths.etc}/apps/{app}.toml", "keep = 1\nkeep = 2\n")
    assert main(["status", "--json"], paths) == Exit.USAGE
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert told["app"] == app
    assert "line 2" in told["settings_fault"]["message"]
    assert f"{app}.toml: is not TOML" in printed.err


@pytest.mark.parametrize(
    ("unit", "more", "code", "said"),
    [
        ("Type=oneshot", "", Exit.DONE, "does something and ends"),
        ("Type=oneshot\nRemainAfterExit=yes", "", Exit.DONE, ""),
        ("DynamicUser=yes", 'shared = ["state"]', Exit.USAGE, "cannot write to what is shared"),
        ("DynamicUser=yes", "", Exit.DONE, ""),
        ("# with a timer", "", Exit.DONE, "is started by daily.timer"),
        ("Restart=always\n# with a timer", "", Exit.DONE, ""),
    ],
)
def test_unusual_units(
    paths: Paths, capsys: pytest.CaptureFixture[str], unit: str, more: str, code: Exit, said: str
) -> None:
    write(f"{paths.unit_directories[-1]}/job.service", "[Service]\nType=simple\n")
    write(f"{paths.administrators_units}/job.service.d/10.conf", f"[Service]\n{unit}\n")
    if "with a timer" in unit:
        write(f"{paths.unit_directories[-1]}/daily.timer", "[Timer]\nUnit=job.service\n")
    write(f"{paths.etc}/apps/ipfs-accelerate.toml", f'services = ["job.service"]\n{more}\n')
    assert main(["config", "check"], paths) == code
    shown = " ".join(capsys.readouterr().out.split())
    assert said in shown
    assert ("job.service" in shown) is bool(said)


def test_units_that_cannot_be_restarted(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["masked.service", "users.service", "missing.service", "worker@1.service"]
    write(f"{paths.etc}/apps/ipfs-accelerate.toml", f"services = {json.dumps(names)}\n")
    os.makedirs(paths.administrators_units)
    os.symlink("/dev/null", f"{paths.administrators_units}/masked.service")
    write(f"{paths.root}/etc/systemd/user/users.service", "[Service]\n")
    write(f"{paths.unit_directories[-1]}/worker@.service", "[Service]\n")
    assert main(["config", "check"], paths) == Exit.DONE
    shown = " ".join(capsys.readouterr().out.split())
    assert "masked.service is masked" in shown
    assert "users.service is a unit of users" in shown
    assert "this host has no unit missing.service" in shown
    assert "worker@1.service" not in shown
