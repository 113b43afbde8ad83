"""rename: releases from before and after it run, and builds have the new name alone."""

import os
from pathlib import Path

import pytest

from autoupdate.cli.main import main
from autoupdate.cli.verbs import forget, rename
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from autoupdate.update.run import one_run
from tests.integration.site import APP, KeptLog, NoServices, NoTransientUnits, Site
from tools.lib.hosts.commands import run

SHOP = "shop"


@pytest.fixture
def named(deployed: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return a host with version 1, on which apps can be renamed and forgotten."""
    for verb in (rename, forget):
        monkeypatch.setattr(verb, "Systemd", NoServices)
        monkeypatch.setattr(verb, "SystemdTransientUnits", NoTransientUnits)
        monkeypatch.setattr(verb, "HostLog", lambda _: KeptLog())
    return deployed


def having(name: str, directory: Path) -> list[str]:
    """Return the files of a directory that have the path of an app's state in them."""
    word = f"/autoupdate/{name}/".encode()
    return [
        f"{place}/{file}"
        for place, _, files in os.walk(directory)
        for file in files
        if not file.endswith(".pyc") and word in Path(place, file).read_bytes()
    ]


def assert_serves(site: Site, version: int) -> None:
    """Check that the package and a script of the environment run."""
    assert site.version() == version
    assert run(site.path / ".venv/bin/pip", "--version").stdout.startswith("pip ")


def call(site: Site, *words: str) -> int:
    """Type a command."""
    return main(list(words), site.paths)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_renamed(named: Site, installer: str, uv_directory: Path) -> None:
    site, version = named, 1
    if installer == "uv":
        version = 2
        site.use_uv(uv_directory, keep=3)
        assert site.updates_to(site.upstream.commit(2))
    else:
        site.configure(keep=3)
    before, old = site.current, site.app_paths
    assert call(site, "rename", APP, SHOP) == Exit.DONE
    site.name = SHOP
    assert site.current == before
    assert os.readlink(site.path) == site.app_paths.current
    assert_serves(site, version)
    assert call(site, "forget", "--yes", APP) == Exit.USAGE, "the release has that name"

    # The same packages: the environment is a copy of one that has the former name in it.
    assert site.updates_to(site.upstream.commit(3))
    assert_serves(site, 3)
    assert having(APP, site.release / ".venv") == []

    # Other packages, installed into such a copy.
    assert site.updates_to(site.upstream.commit(4, requirements=("blinker", "iniconfig")))
    assert_serves(site, 4)
    assert having(APP, site.release / ".venv") == []

    app = site.app()
    outcome = one_run(app, wait=False, back_to=before)
    app.records.close()
    assert outcome.result == Result.ROLLED_BACK, outcome
    assert_serves(site, version)
    assert call(site, "forget", "--yes", APP) == Exit.USAGE

    for number in (5, 6, 7):
        assert site.updates_to(site.upstream.commit(number)), number
    assert before not in site.releases()
    assert call(site, "forget", "--yes", APP) == Exit.DONE
    assert not os.path.lexists(old.home)
    assert_serves(site, 7)
    # The environments on disk may have the former name; their copies have not.
    assert site.updates_to(site.upstream.commit(8, requirements=("blinker", "idna")))
    assert_serves(site, 8)
    assert having(APP, site.release / ".venv") == []
