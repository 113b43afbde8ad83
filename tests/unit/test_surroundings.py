"""Mistakes around the settings are named with the file and the key, and stop nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from autoupdate import surroundings
from autoupdate.config import load
from autoupdate.paths import Paths

APP = "shop"


class Host:
    """A host's root with the settings of one app."""

    def __init__(self, root: Path) -> None:
        root.chmod(0o755)
        self.root = root
        self.paths = Paths(str(root))
        self.hooks = Path(self.paths.hooks(APP))
        self.file = Path(self.paths.etc, "apps", f"{APP}.toml")
        self.file.parent.mkdir(parents=True)
        self.configure()

    def configure(self, **more: Any) -> None:
        """Write the app's file; dots in keys are written as two underscores."""
        values = {"path": "/srv/shop", "upstream__url": "https://git.example/shop.git", **more}
        lines = [f"{key.replace('__', '.')} = {json.dumps(item)}\n" for key, item in values.items()]
        self.file.write_text("".join(lines))
        self.file.chmod(0o600)

    def hook(self, name: str, mode: int = 0o755) -> str:
        """Write a hook."""
        path = self.hooks / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(mode)
        return str(path)

    def look(self) -> list[tuple[str, str]]:
        """Return where something is wrong, and what."""
        settings = load(self.paths, APP)
        known = ("json://", "mailto://")
        found = surroundings.look(
            self.paths, settings, lambda url: "" if url.startswith(known) else "is no URL"
        )
        assert all(fault.advice for fault in found)
        return [(fault.where, fault.what) for fault in found]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a host where nothing is wrong."""
    return Host(tmp_path)


def test_nothing_is_wrong(host: Host) -> None:
    assert host.look() == []
    host.hook("pre-update.d/10-check")
    host.hook("post-update.d/10-tell")
    host.hook("post-update.d/README.txt", 0o644)
    (host.root / "textfile").mkdir()
    host.configure(
        notify__urls=["json://hooks.example/token"], metrics__textfile=f"{host.root}/textfile"
    )
    assert host.look() == []


def test_hooks(host: Host) -> None:
    check = host.hook("pre-update.d/10-check", 0o644)
    tell = host.hook("post-update.d/10-tell", 0o777)
    script = host.hook("pre-update.d/20-drain.sh")
    lost = host.hook("pre-update/10-lost")
    assert host.look() == [
        (check, f"every update is stopped: {check} is not executable"),
        (script, "it does not run: its name has more than letters, digits, _ and -"),
        (tell, f"it does not run: {tell} can be written by others than root"),
        (str(Path(lost).parent), "nothing here runs: hooks lie in pre-update.d and post-update.d"),
    ]


def test_urls(host: Host) -> None:
    host.configure(notify__urls=["json://hooks.example/a", "nonsense://secret-4711"])
    assert host.look() == [(f"{host.file}: notify.urls", "nonsense#1 is no URL")]
    host.file.chmod(0o644)
    where, what = host.look()[-1]
    assert where == str(host.file)
    assert "everybody can read this file" in what


def test_metrics(host: Host) -> None:
    host.configure(metrics__textfile="/nowhere/textfile")
    ((where, what),) = host.look()
    assert where == f"{host.file}: metrics.textfile"
    assert "/nowhere/textfile is no directory" in what
