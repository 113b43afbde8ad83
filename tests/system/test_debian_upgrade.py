"""The host's own upgrade to the next Debian, under a deployed release."""

import pytest

from tools.lib.hosts.demo_app import DemoApp
from tools.lib.hosts.tree import RELEASES
from tools.lib.hosts.upstream import Upstream

OLD, NEW = RELEASES
SOURCES = r"find /etc/apt \( -name '*.list' -o -name '*.sources' \) -exec sed -i s/{}/{}/g {{}} +"
UPGRADE = (
    "apt-get", "--yes", "--quiet", "-o", "Dpkg::Options::=--force-confold", "full-upgrade",
)  # fmt: skip


@pytest.mark.only_release(OLD)
def test_upgrade_to_the_next_debian(deployed_app: DemoApp, upstream: Upstream) -> None:
    """The services' own ExecStartPre= lines need the environment before the gate is asked."""
    host, service = deployed_app.host, "ipfs-accelerate.service"
    before = deployed_app.status()["current"]
    python = host.run("readlink", "-f", "/usr/bin/python3").stdout
    host.run("sh", "-c", SOURCES.format(OLD, NEW))
    host.run("apt-get", "--quiet", "update", timeout=300)
    host.run("env", "DEBIAN_FRONTEND=noninteractive", *UPGRADE, timeout=1100)
    assert host.run("readlink", "-f", "/usr/bin/python3").stdout != python

    host.systemctl("restart", service, timeout=300)

    deployed_app.wait_up(timeout=60)
    after = deployed_app.status()["current"]
    assert after["commit"] == before["commit"]
    assert after["release"] != before["release"]
    upstream.commit(version=2)
    host.run("autoupdatectl", "run", timeout=300)
    assert set(deployed_app.versions().values()) == {2}
    host.reboot()
    deployed_app.start()
    deployed_app.wait_up(timeout=60)
    assert set(deployed_app.versions().values()) == {2}
