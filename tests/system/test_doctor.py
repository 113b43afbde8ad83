"""Hosts that are broken as hosts get broken; doctor heals them, and then an update works."""

import json

from tools.lib.hosts.demo_app import SERVICES, DemoApp
from tools.lib.hosts.upstream import Upstream

HOME = "/var/lib/autoupdate/ipfs-accelerate"
# What depends on the machine of the tests.
OTHERS = {"settings", "clock"}


def test_fix(deployed_app: DemoApp, upstream: Upstream) -> None:
    host = deployed_app.host
    upstream.commit(version=2)
    # The whole directory given to one user; a directory closed; the package's drop-in replaced.
    host.run("chown", "--recursive", "daemon:", "/var/lib/autoupdate", "/var/cache/autoupdate")
    host.run("chmod", "000", f"{HOME}/environments")
    override = f"/etc/systemd/system/{SERVICES[0]}.d/50-autoupdate.conf"
    host.write(override, "[Service]\nNice=5\n")
    host.systemctl("daemon-reload")
    failed = host.run("autoupdatectl", "run", check=False)
    # The services cannot write their files either: the start of one may have tried it before.
    assert "Permission denied" in failed.stdout + failed.stderr, failed

    asked = host.run("autoupdatectl", "doctor", "--fix", check=False)
    assert "not done" in asked.stdout
    assert "not agreed to" in asked.stdout
    healed = host.run(
        "autoupdatectl", "doctor", "--fix", "--yes", "--json", check=False, timeout=600
    )
    told = json.loads(healed.stdout)
    assert not {item["about"] for item in told["findings"]} - OTHERS, told
    assert all(item["done"] for item in told["treated"] if item["about"] not in OTHERS), told

    # The failure is a moment ago; without --force, the next attempt waits.
    host.run("autoupdatectl", "run", "--force", timeout=300)
    deployed_app.wait_up()
    assert set(deployed_app.versions().values()) == {2}
    host.systemctl("restart", SERVICES[0], timeout=300)
    deployed_app.wait_up()
