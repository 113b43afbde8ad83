"""Two apps on one host: each with its settings, its lock, its state and its own failures."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.app import App, Outcome
from autoupdate.assemble import assemble
from autoupdate.host import runtime_files
from autoupdate.host.links import linked_release
from autoupdate.model.errors import BusyError, Exit
from autoupdate.model.steps import Result
from autoupdate.update.run import one_run
from autoupdate.upstream.git_environment import git_environment
from tests.integration.site import APP, KeptLog, NoServices, NoTransientUnits, QuickWorker, Site
from tools.lib.hosts.git_server import Mode
from tools.lib.hosts.upstream import Upstream

SHOP = "shop"


class Shop:
    """The second app of a host."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.upstream = Upstream(site.directory / "upstream" / "second", site.server, name=SHOP)
        self.path = site.root / "srv" / SHOP
        self.file = Path(site.paths.etc, "apps", f"{SHOP}.toml")
        self.configure(self.upstream.url)

    def configure(self, url: str) -> None:
        """Write the app's settings."""
        self.file.write_text(f"path = {json.dumps(str(self.path))}\nupstream.url = '{url}'\n")

    def app(self) -> App:
        """Assemble the app."""
        paths = self.site.paths
        worker = QuickWorker(paths.app(SHOP), None, git_environment(paths.cache), print)
        ready = assemble(paths, SHOP, identity=None)
        host = ready.host._replace(services=NoServices(), transient_units=NoTransientUnits())
        return ready._replace(host=host, worker=worker, log=KeptLog())

    def run(self) -> Outcome:
        """Do one run."""
        app = self.app()
        try:
            return one_run(app, wait=False)
        finally:
            app.records.close()

    @property
    def release(self) -> str:
        """The current release."""
        return linked_release(self.site.paths.app(SHOP).current)


@pytest.fixture
def shop(deployed: Site) -> Iterator[Shop]:
    """Return a second app, on a host whose first one is deployed."""
    deployed.builds = False
    yield Shop(deployed)


def test_each_has_its_own_directories(shop: Shop) -> None:
    site, before = shop.site, shop.site.current
    assert shop.run().result == Result.UPDATED
    assert shop.path.resolve() == Path(site.paths.app(SHOP).release(shop.release))
    assert site.current == before
    assert shop.release not in site.releases()
    commit = site.upstream.commit(2)
    assert site.updates_to(commit)
    assert shop.run().result == Result.CURRENT


def test_run_of_one_does_not_wait_for_the_other(shop: Shop) -> None:
    with runtime_files.exclusive(shop.site.app_paths, APP, wait=False):
        assert shop.run().result == Result.UPDATED
        with pytest.raises(BusyError):
            shop.site.run()


def test_failure_of_one_does_not_affect_the_other(shop: Shop) -> None:
    site = shop.site
    shop.run()
    shop.configure(site.server.url("gone"))
    assert shop.run().exit_code == Exit.UNREACHABLE
    assert site.updates_to(site.upstream.commit(2))
    shop.file.write_text("path = \n")
    assert site.updates_to(site.upstream.commit(3))
    shop.configure(shop.upstream.url)
    site.server.mode = Mode.GOOD
    assert shop.run().result == Result.CURRENT
