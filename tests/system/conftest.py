"""What system tests start from: a booted Debian with the package, an upstream, the application.

A test takes `host` (the package is installed), `app` (the services' units and the administrator's
file are there too, nothing deployed yet) or `bare_host` (Debian only), and `upstream`. Each test
gets hosts of its own, once per release of Debian.

Environment: AUTOUPDATE_TEST_RELEASES="trixie" runs on that release only, AUTOUPDATE_DEB=FILE tests
that package instead of building one, AUTOUPDATE_TEST_CACHE=DIRECTORY keeps the trees there.
"""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tools.lib.hosts import machine, old_deployment
from tools.lib.hosts.commands import CommandFailedError
from tools.lib.hosts.demo_app import DemoApp
from tools.lib.hosts.git_server import GitServer
from tools.lib.hosts.host import Host
from tools.lib.hosts.layers import Image
from tools.lib.hosts.package import (
    bare_image,
    built_deb,
    deployed_image,
    installed_image,
    old_image,
    telling_image,
)
from tools.lib.hosts.tree import RELEASES
from tools.lib.hosts.upstream import Upstream

_HOSTS = pytest.StashKey[list[Host]]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that needs a host on every release."""
    if "release" in metafunc.fixturenames:
        wanted = os.environ.get("AUTOUPDATE_TEST_RELEASES", "").split() or RELEASES
        for mark in metafunc.definition.iter_markers("only_release"):
            wanted = [release for release in wanted if release in mark.args]
        metafunc.parametrize("release", wanted, scope="session")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, "pytest.CallInfo[pytest.TestReport]", None]:
    """Show what happened inside the hosts of a test that failed."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()  # type: ignore[attr-defined]
    if report.failed:
        for host in item.stash.get(_HOSTS, []):
            report.sections.append((f"inside {host.name}", host.diagnosis()))


@pytest.fixture(scope="session")
def deb() -> Path:
    """The package under test."""
    return built_deb()


@pytest.fixture(scope="session")
def tree(release: str) -> Image:
    """Debian, with what the package depends on."""
    missing = machine.what_is_missing()
    if missing:
        _cannot(missing)
    try:
        return bare_image(release)
    except CommandFailedError as error:
        _cannot(f"no Debian tree for {release}, is there a network? {error}")


@pytest.fixture(scope="session")
def installed(tree: Image, release: str, deb: Path) -> Image:
    """Debian with the package, as `apt install ./…` left it."""
    return installed_image(release, deb)


@pytest.fixture
def bare_host(request: pytest.FixtureRequest, tree: Image) -> Iterator[Host]:
    """A booted Debian without the package."""
    yield from _booted(request, tree)


@pytest.fixture
def host(request: pytest.FixtureRequest, installed: Image) -> Iterator[Host]:
    """A booted Debian with the package installed."""
    yield from _booted(request, installed)


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    """A Git server on the loopback that all hosts share with the machine."""
    directory = tmp_path / "repositories"
    directory.mkdir()
    with GitServer(directory) as server:
        yield server


@pytest.fixture
def upstream(tmp_path: Path, git_server: GitServer) -> Upstream:
    """The application's upstream, at version 1."""
    return Upstream(tmp_path / "upstream", git_server)


@pytest.fixture
def app(host: Host, upstream: Upstream) -> DemoApp:
    """The application's services and settings on `host`, nothing deployed and nothing started."""
    application = DemoApp(host)
    application.install_services()
    application.configure(upstream.url)
    return application


@pytest.fixture
def deployed_app(
    request: pytest.FixtureRequest, release: str, installed: Image, upstream: Upstream
) -> Iterator[DemoApp]:
    """The application at version 1, deployed by the package, its three services running.

    The deployment is made once and copied, as equal commits of `upstream` have equal names.
    """
    image = deployed_image(release, installed, upstream)
    for booted in _booted(request, image):
        application = DemoApp(booted)
        application.install_services()
        application.configure(upstream.url)
        application.start()
        application.wait_up()
        yield application


@pytest.fixture
def old_app(
    request: pytest.FixtureRequest, release: str, installed: Image, upstream: Upstream
) -> Iterator[DemoApp]:
    """The application as the old system deployed it: 5,000 files, local changes, a cron line."""
    upstream.commit(version=1, files=old_deployment.many_files())
    for booted in _booted(request, old_image(release, installed, upstream)):
        yield old_deployment.start(booted, upstream)


@pytest.fixture
def telling_app(
    request: pytest.FixtureRequest, release: str, installed: Image, upstream: Upstream
) -> Iterator[DemoApp]:
    """The same on a host that can send notifications."""
    upstream.commit(version=1, files=old_deployment.many_files())
    image = telling_image(release, old_image(release, installed, upstream))
    for booted in _booted(request, image):
        yield old_deployment.start(booted, upstream)


def _cannot(reason: str) -> NoReturn:
    """Skip what needs a host; CI has everything that hosts need, so there it is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _booted(request: pytest.FixtureRequest, image: Image) -> Iterator[Host]:
    with Host(image) as booted:
        request.node.stash.setdefault(_HOSTS, []).append(booted)
        yield booted
