"""Installing changes nothing: services that run from another place are left alone, and told so."""

from pathlib import Path

import pytest

from tools.lib.hosts.demo_app import CONFIGURATION, SERVICES, USER, DemoApp
from tools.lib.hosts.host import Host
from tools.lib.hosts.package import install
from tools.lib.hosts.upstream import Upstream

PATH = f"/home/{USER}/ipfs_accelerate_py"
ADOPT = f"autoupdatectl adopt {PATH}"


@pytest.fixture
def at_home(bare_host: Host, upstream: Upstream) -> DemoApp:
    """Three services that run from a checkout in a home directory, without the package."""
    app = DemoApp(bare_host, PATH)
    app.install_services()
    app.deploy_by_hand(upstream.url)
    bare_host.systemctl("enable", "--now", *SERVICES)
    app.wait_up()
    return app


def test_installed_and_nothing_configured(at_home: DemoApp, upstream: Upstream, deb: Path) -> None:
    """Upstream is out of reach: each restart and the reboot bring the services up."""
    host = at_home.host
    upstream.server.stop()

    said = install(host, deb)

    assert [line for line in said.splitlines() if ADOPT in line] == [
        f"ipfs-accelerate: the services run from {PATH}, which is not managed by autoupdate;"
        f" nothing changes for them until you type: {ADOPT}"
    ]
    host.systemctl("restart", *SERVICES)
    at_home.wait_up()
    host.reboot()
    at_home.wait_up()
    for service in SERVICES:
        told = host.journal(service)
        assert f"{service} runs from {PATH}, which is not managed by autoupdate;" in told
        assert f"to manage it: {ADOPT}" in told
    assert not host.exists("/opt/ipfs_accelerate_py")
    assert not host.exists("/var/lib/autoupdate/ipfs-accelerate/current")
    status = at_home.status()
    assert status["state"] == "unmanaged"
    assert {item["runs_from"] for item in status["services"].values()} == {PATH}
    assert f"{PATH} (not managed)\n{'':16}{ADOPT}\n" in host.run("autoupdatectl", "status").stdout
    assert ADOPT in host.run("autoupdatectl", "doctor", check=False).stdout
    shown = host.run("autoupdatectl", "config", "show").stdout
    assert f'the units of the services\n  path                      = "{PATH}"\n' in shown


def test_first_deployment_to_another_place_is_refused(at_home: DemoApp, deb: Path) -> None:
    """By hand and by the timer, with both ways out."""
    host = at_home.host
    install(host, deb)
    host.write(CONFIGURATION, 'path = "/opt/ipfs_accelerate_py"\n')
    for command in (
        ("autoupdatectl", "run"),
        ("systemctl", "start", "autoupdate@ipfs-accelerate.service"),
    ):
        assert not host.run(*command, check=False).ok
    refused = host.run("autoupdatectl", "run", check=False)
    assert refused.returncode == 2
    assert f"{SERVICES[0]} runs from {PATH}, not from path" in refused.stderr
    assert ADOPT in refused.stderr
    assert "set path" in refused.stderr
    host.systemctl("restart", *SERVICES)
    at_home.wait_up()
    assert not host.exists("/opt/ipfs_accelerate_py")
