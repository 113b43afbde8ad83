"""A host with version 1 deployed: built once, and given to each test as it was then."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.git_server import Mode
from tests.integration.site import Site


@pytest.fixture(scope="session")
def prototype(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Deploy version 1 with everything that this takes, from the package index on."""
    site = Site.new(tmp_path_factory.mktemp("site"))
    outcome = site.run()
    assert outcome.exit_code == 0, f"{outcome}\n" + "\n".join(site.output)
    site.save()
    yield site
    site.server.stop()


@pytest.fixture
def deployed(prototype: Site) -> Site:
    """Return a host with version 1."""
    prototype.server.mode = Mode.GOOD
    return prototype.restore()


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Site]:
    """Return a host with nothing deployed; a deployment on it takes long."""
    site = Site.new(tmp_path)
    yield site
    site.server.stop()
