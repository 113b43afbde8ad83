"""rename on a booted Debian: the service runs on, and its gate and its timer have the new name."""

import json
import threading
from typing import Any

import pytest

from tools.lib.hosts.demo_app import USER, DemoApp
from tools.lib.hosts.host import Host
from tools.lib.hosts.upstream import Upstream

# Nothing in this verb depends on the release of Debian.
pytestmark = pytest.mark.only_release("bookworm")
CTL, PATH, SERVICE = "autoupdatectl", "/srv/web", "web.service"
# pip is a script with the path of its environment in it.
UNIT = f"""[Service]
User={USER}
WorkingDirectory={PATH}
Environment=IPFS_ACCELERATE_PORT=%d
ExecStartPre={PATH}/.venv/bin/pip --version
ExecStart={PATH}/.venv/bin/python3 -m ipfs_accelerate_py.serve
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


@pytest.fixture
def web(host: Host, upstream: Upstream) -> DemoApp:
    """An app of the administrator, with its service, the gate of that, and its timer."""
    app = DemoApp(host, PATH)
    host.run("useradd", "--system", "--create-home", "--shell=/bin/sh", USER)
    host.write(f"/etc/systemd/system/{SERVICE}", UNIT % host.port("serve"))
    host.write("/etc/autoupdate/apps/web.toml",
               f'path = "{PATH}"\nservices = ["{SERVICE}"]\n[upstream]\nurl = "{upstream.url}"\n'
               '[health]\nsoak = "1s"\n')  # fmt: skip
    host.systemctl("daemon-reload")
    host.run(CTL, "run", "web", timeout=300)
    host.run(CTL, "gate", "enable", SERVICE, "web")
    host.systemctl("enable", "--now", "autoupdate@web.timer", SERVICE, timeout=300)
    wait_for_version(app, 1)
    return app


def wait_for_version(app: DemoApp, version: int) -> None:
    """Wait until the service answers with a version."""

    def answers() -> bool:
        try:
            return bool(app.health()["version"] == version)
        except OSError:
            return False

    app.host.wait_for(answers, 60, f"version {version} answers")


def status(host: Host, name: str) -> dict[str, Any]:
    """Return what status says of an app."""
    told: dict[str, Any] = json.loads(host.run(CTL, "status", "--json", name).stdout)
    return told


def test_renamed_while_it_runs(web: DemoApp, upstream: Upstream) -> None:
    host = web.host
    before = host.show(SERVICE, "InvocationID", "MainPID", "NRestarts")
    faults: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            try:
                web.health()
            except OSError as error:
                faults.append(str(error))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        said = host.run(CTL, "rename", "web", "shop").stdout
    finally:
        done.set()
        watching.join()
    assert said.startswith("web was renamed to shop\n  /var/lib/autoupdate/web is kept as a link")
    assert faults == []
    assert host.show(SERVICE, "InvocationID", "MainPID", "NRestarts") == before
    assert web.late() == 1, "what is not imported yet is found"

    for name, active, enabled in (("web", "inactive", False), ("shop", "active", True)):
        timer = f"autoupdate@{name}.timer"
        assert host.show(timer, "ActiveState") == {"ActiveState": active}
        assert host.systemctl("is-enabled", timer, check=False).ok is enabled
    gates = host.show(SERVICE, "ExecStartPre")["ExecStartPre"]
    assert "pre-start shop" in gates
    assert "pre-start web" not in gates
    assert status(host, "shop")["state"] == "current"
    assert host.run(CTL, "status", "web", check=False).returncode == 2
    checked = json.loads(host.run(CTL, "config", "check", "--json", check=False).stdout)
    assert "web" not in {one["app"] for one in checked["apps"]}

    # Its release is one from before, whose scripts have the old name.
    host.systemctl("restart", SERVICE, timeout=300)
    wait_for_version(web, 1)
    upstream.commit(version=2)
    host.run("rm", "--force", "/run/autoupdate/shop/fresh")
    host.systemctl("restart", SERVICE, timeout=300)
    wait_for_version(web, 2)
    assert status(host, "shop")["current"]["commit"] == upstream.head()
    events = host.run("journalctl", "--output=json", "AUTOUPDATE_APP=shop").stdout.splitlines()
    messages = [json.loads(line)["MESSAGE"] for line in events]
    assert "shop: renamed from web" in messages
    assert any("Successfully updated to commit" in message for message in messages)
    # Python itself corrects the paths in bytecode.
    scripts = host.run("grep", "--recursive", "--files-with-matches", "--exclude=*.pyc",
                       "/autoupdate/web/", f"{PATH}/.venv/", check=False)  # fmt: skip
    assert scripts.stdout == ""

    host.reboot()
    wait_for_version(web, 2)
    host.run(CTL, "rollback", "shop", timeout=300)
    wait_for_version(web, 1)
    refused = host.run(CTL, "forget", "--yes", "web", check=False)
    assert "is needed by release" in refused.stderr, refused
    told = json.loads(host.run(CTL, "doctor", "--json", "shop", check=False).stdout)
    assert "/var/lib/autoupdate/web is the former name of shop" in told["notes"][0]
    assert not [item for item in told["findings"] if "/web" in item["about"]], told

    # A purge keeps what the service runs from, and the name that its scripts have.
    said = host.run("apt-get", "purge", "--yes", "ipfs-accelerate-autoupdate", timeout=300).stdout
    assert said.count("Kept in /var/lib/autoupdate/") == 1
    assert "Kept in /var/lib/autoupdate/shop: current" in said
    host.systemctl("daemon-reload")
    host.systemctl("restart", SERVICE)
    wait_for_version(web, 1)
