"""The package leaves as it came: the gate first, the services never."""

from pathlib import Path

from autoupdate.adoption.gate_drop_in import text
from autoupdate.model.paths import Paths
from tools.lib.hosts.demo_app import SERVICES, DemoApp
from tools.lib.hosts.package import install
from tools.lib.hosts.upstream import Upstream

PACKAGE = "ipfs-accelerate-autoupdate"
TIMERS = ("autoupdate.timer", "autoupdate@other.timer")


def test_remove_purge_and_come_back(deployed_app: DemoApp, upstream: Upstream, deb: Path) -> None:
    """Removed: services start without the gate. Purged: nothing but what they run from is left.
    Installed again: their data is still theirs.
    """
    host = deployed_app.host
    host.systemctl("enable", "--now", *TIMERS)
    # As an administrator makes one for another app; nobody takes that away with the package.
    drop_in = text(Paths(), "ipfs-accelerate")
    directory = f"/etc/systemd/system/{SERVICES[0]}.d"
    host.run("mkdir", "--parents", directory)
    host.write(f"{directory}/mine.conf", drop_in)
    before = [host.show(service, "MainPID") for service in SERVICES]

    host.run("apt-get", "remove", "--yes", PACKAGE, timeout=300)

    living = "--state=active,activating,reloading,deactivating,failed"
    listed = host.systemctl("list-units", living, "--plain", "--no-legend", "autoupdate*").stdout
    assert listed == ""
    assert [host.show(service, "MainPID") for service in SERVICES] == before
    assert "pre-start" not in host.show(SERVICES[1], "ExecStartPre").get("ExecStartPre", "")
    upstream.server.stop()
    host.systemctl("restart", *SERVICES)
    deployed_app.wait_up()
    # Until it is purged, what was enabled is a setting like any other.
    install(host, deb)
    assert host.systemctl("is-enabled", *TIMERS).stdout.split() == ["enabled", "enabled"]
    host.run("apt-get", "remove", "--yes", PACKAGE, timeout=300)

    purged = host.run("apt-get", "purge", "--yes", PACKAGE, timeout=300).stdout

    assert "/var/lib/autoupdate/ipfs-accelerate" in purged
    host.systemctl("restart", *SERVICES)
    deployed_app.wait_up()
    host.run("rm", f"{directory}/mine.conf")
    left = host.run(
        "find", "/", "-xdev", "-name", "*autoupdate*", "-not", "-path", "/proc/*",
        "-not", "-path", "/var/lib/autoupdate*",
    ).stdout  # fmt: skip
    assert left == "", left
    kept = host.run("find", "/var/lib/autoupdate/ipfs-accelerate", "-maxdepth", "2").stdout
    names = {line.rpartition("/")[2] for line in kept.splitlines()}
    assert names >= {"current", "releases"}
    assert names.isdisjoint({"repo.git", "environments", "state.db", "previous"})

    upstream.server.start()
    host.run("sh", "-c", f"echo precious >{deployed_app.path}/state/README", user="accelerate")
    install(host, deb)
    deployed_app.configure(upstream.url)
    host.systemctl("start", "autoupdate@ipfs-accelerate", timeout=300)
    deployed_app.wait_up()
    assert host.read(f"{deployed_app.path}/state/README") == "precious\n"


def test_purge_without_deployment(deployed_app: DemoApp) -> None:
    """An app that no longer has a release leaves nothing at all."""
    host = deployed_app.host
    host.systemctl("stop", *SERVICES)
    host.run("rm", deployed_app.path, "/var/lib/autoupdate/ipfs-accelerate/current")

    host.run("apt-get", "purge", "--yes", PACKAGE, timeout=300)

    assert not host.exists("/var/lib/autoupdate")
    assert not host.exists("/etc/autoupdate")
