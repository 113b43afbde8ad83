"""A host with version 1 deployed: built once, and restored for each test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.upstream.git_environment import git_environment
from autoupdate.worker import commands, link
from autoupdate.worker.packages import uv
from autoupdate.worker.packages.installer import cache_environment
from tests.integration.indexes import QUICK
from tests.integration.signers import Signers
from tests.integration.site import Site
from tests.integration.strangers import StrangeSite, library_for_all, open_to_all
from tools.lib.hosts.git_server import Mode

MEMORY = "/dev/shm"
# Enough for several sites and their copies, in several worker processes of pytest.
ENOUGH = 4 << 30


@pytest.fixture(scope="session")
def quick_directory() -> Iterator[Path]:
    """Return a directory for thousands of files, in memory if the host has enough."""
    facts = os.statvfs(MEMORY) if os.access(MEMORY, os.W_OK) else None
    much = facts is not None and facts.f_bavail * facts.f_frsize > ENOUGH
    prefix = "autoupdate-test-"
    with tempfile.TemporaryDirectory(dir=MEMORY if much else None, prefix=prefix) as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def prototype(quick_directory: Path) -> Iterator[Site]:
    """Deploy version 1 completely, with packages from an index."""
    directory = quick_directory / "site"
    directory.mkdir()
    site = Site.new(directory)
    outcome = site.run()
    assert outcome.exit_code == 0, f"{outcome}\n" + "\n".join(site.output)
    site.save()
    yield site
    site.server.stop()


@pytest.fixture(scope="session")
def uv_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Download uv once; `Site.use_uv` gives it to a site."""
    directory = tmp_path_factory.mktemp("environments")
    assert uv.fetch(str(directory), "/usr/bin/python3", commands.command, needed=True)
    return directory / uv.DIRECTORY


@pytest.fixture
def deployed(prototype: Site) -> Site:
    """Return a host with version 1."""
    prototype.server.mode = Mode.GOOD
    return prototype.restore()


@pytest.fixture
def bare(quick_directory: Path) -> Iterator[Site]:
    """Return a host with nothing deployed; a deployment on it takes long."""
    directory = quick_directory / "bare"
    directory.mkdir()
    site = Site.new(directory)
    yield site
    site.server.stop()
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signers]:
    """Return secret keys of all kinds, and the public keys that a host trusts."""
    made = Signers(tmp_path_factory.mktemp("keys"))
    yield made
    made.close()


@pytest.fixture
def quick(bare: Site) -> Site:
    """Return a host with version 1, whose releases get no environment: for earlier steps."""
    bare.builds = False
    assert bare.run().exit_code == 0
    return bare


@pytest.fixture(scope="session")
def strange_prototype(quick_directory: Path) -> Iterator[StrangeSite]:
    """Deploy version 1 with another user for builds; the tests must be root."""
    directory = quick_directory / "strange"
    directory.mkdir()
    site = StrangeSite.new(directory)
    assert isinstance(site, StrangeSite)
    open_to_all(directory)
    site.library = library_for_all(directory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(link, "LIBRARY", site.library)
        assert site.run().exit_code == 0, "\n".join(site.output)
    site.save()
    yield site
    site.server.stop()
    shutil.rmtree(directory)


@pytest.fixture
def strange(strange_prototype: StrangeSite, monkeypatch: pytest.MonkeyPatch) -> StrangeSite:
    """Return a host with version 1 whose builds run as another user."""
    monkeypatch.setattr(link, "LIBRARY", strange_prototype.library)
    restored = strange_prototype.restore()
    assert isinstance(restored, StrangeSite)
    return restored


@pytest.fixture
def as_in_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment variables that a worker has, and none of the machine's installers."""
    home = str(tmp_path)
    for name, value in (git_environment(home) | cache_environment(home) | QUICK).items():
        monkeypatch.setenv(name, value)
    for name in ("PIP_FIND_LINKS", "PIP_DEFAULT_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
