"""The app's install that is copied from an earlier release: when, and what is written."""

import base64
import hashlib
import json
import os
from pathlib import Path

import pytest

from autoupdate.worker.environment import editable
from autoupdate.worker.environment.editable import Trace

LIBRARY = "lib/python3.11/site-packages"
FACTS = f"{LIBRARY}/app-1.0.dist-info"


def make_release(directory: Path) -> str:
    """Make a release with a package in it and an empty environment."""
    (directory / "app").mkdir(parents=True)
    (directory / "app/__init__.py").write_text("")
    (directory / "setup.py").write_text("setup()\n")
    (directory / ".venv" / LIBRARY).mkdir(parents=True)
    return str(directory)


def install(release: str) -> None:
    """Install the app editable, as installers do."""
    venv = Path(release, ".venv")
    (venv / FACTS).mkdir()
    (venv / "bin").mkdir(exist_ok=True)
    (venv / LIBRARY / "app.pth").write_text(f"{release}\n")
    (venv / "bin/app").write_text(f"#!{venv}/bin/python\n")
    (venv / "bin/app").chmod(0o755)
    url = {"url": f"file://{release}", "dir_info": {"editable": True}}
    (venv / FACTS / "direct_url.json").write_text(json.dumps(url))
    record = "app.pth,sha256=x,1\n../../../bin/app,sha256=y,2\n"
    names = "app-1.0.dist-info/direct_url.json,sha256=z,3\napp-1.0.dist-info/RECORD,,\n"
    (venv / FACTS / "RECORD").write_text(record + names)


@pytest.fixture
def first(tmp_path: Path) -> str:
    """Return a release whose install is recorded."""
    release = make_release(tmp_path / "first")
    install(release)
    trace = Trace(("setup.py",), ("", "app"))
    editable.keep(f"{tmp_path}/memory", f"{release}/.venv", release, "App", trace)
    return release


def test_same_inputs(tmp_path: Path, first: str) -> None:
    second = make_release(tmp_path / "the-second")
    Path(second, "app/__init__.py").write_text("VERSION = 2\n")
    assert editable.take_over(f"{tmp_path}/memory", second)
    venv = Path(second, ".venv")
    assert (venv / LIBRARY / "app.pth").read_text() == f"{second}\n"
    assert (venv / "bin/app").read_text() == f"#!{venv}/bin/python\n"
    assert (venv / "bin/app").stat().st_mode & 0o777 == 0o755
    lines = (venv / FACTS / "RECORD").read_text().splitlines()
    text = f"{second}\n"
    assert lines[0] == f"app.pth,sha256={digest(text)},{len(text)}"
    assert lines[-1] == "app-1.0.dist-info/RECORD,,"


def digest(text: str) -> str:
    """Return the entry of a text in RECORD."""
    value = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@pytest.mark.parametrize("changed", ["setup.py", "app/new.py", "README.md", "memory", "removed"])
def test_other_inputs(tmp_path: Path, first: str, changed: str) -> None:
    second = make_release(tmp_path / "second")
    if changed == "memory":
        (tmp_path / "memory").write_text("{}")
    elif changed == "removed":
        Path(second, "app/__init__.py").unlink()
    else:
        Path(second, changed).write_text("changed\n")
    assert not editable.take_over(f"{tmp_path}/memory", second)
    assert os.listdir(f"{second}/.venv/{LIBRARY}") == []


def test_install_that_cannot_be_copied_is_not_recorded(tmp_path: Path, first: str) -> None:
    for release, trace in ((first, None), (make_release(tmp_path / "bare"), Trace((), ("",)))):
        editable.keep(f"{tmp_path}/memory", f"{release}/.venv", release, "app", trace)
        assert not (tmp_path / "memory").exists()


@pytest.mark.parametrize(
    ("record", "trace"),
    [
        ([("read", "/r/setup.py"), ("read", "/usr/lib/x.py"), ("list", "/r/app")],
         Trace(("setup.py",), ("", "app"))),
        ([("read", "/r/app/version.py")], Trace(("app/version.py",), ("", "app"))),
        ([("write", "/r/app.egg-info/PKG-INFO"), ("read", "/r/app.egg-info/SOURCES.txt"),
          ("write", "/tmp/x")], Trace((), ("",))),
        ([("list", "/r")], Trace((), ("",))),
        ([("write", "/r/app/_version.py")], None),
        ([("read", "/r/.git/HEAD")], None),
        ([("process", "")], None),
    ],
)  # fmt: skip
def test_trace(tmp_path: Path, record: list[tuple[str, str]], trace: Trace | None) -> None:
    (tmp_path / "log").write_text(json.dumps(record) + "\n")
    assert editable.read_trace(f"{tmp_path}/log", "/r") == trace


@pytest.mark.parametrize("text", ["", "{", None])
def test_missing_trace(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "log").write_text(text)
    assert editable.read_trace(f"{tmp_path}/log", "/r") is None
