"""Installing changes nothing: services that run from another place are left alone, and told so."""

import json
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


def test_adopted_without_any_setting(at_home: DemoApp, upstream: Upstream, deb: Path) -> None:
    """The upstream is the checkout's own; what was decided is shown and kept in a file."""
    host, commit = at_home.host, upstream.head()
    install(host, deb)

    looked = host.run("autoupdatectl", "adopt", "--look", PATH, timeout=300).stdout

    for line in (f'path = "{PATH}"', f'upstream.url = "{upstream.url}"'):
        assert f"{line} is not set by hand; it would be written to {CONFIGURATION}\n" in looked
    assert not host.exists(CONFIGURATION)

    host.run("autoupdatectl", "adopt", PATH, timeout=300)

    at_home.wait_up()
    status = at_home.status()
    assert (status["state"], status["current"]["commit"]) == ("current", commit)
    assert {item["runs_from"] for item in status["services"].values()} == {None}
    assert f'path = "{PATH}"\n\n[upstream]\nurl = "{upstream.url}"\n' in host.read(CONFIGURATION)
    upstream.commit(version=2)
    at_home.forget_freshness()
    host.systemctl("restart", SERVICES[0], timeout=300)
    at_home.wait_up()
    assert set(at_home.versions().values()) == {2}, "the gate counts again"


def test_gate_of_another_app_outlives_the_package(at_home: DemoApp, deb: Path) -> None:
    """Also one that was written by hand without care is named before it keeps a service down."""
    host = at_home.host
    install(host, deb)
    shop, drop_in = "shop.service", "/etc/systemd/system/shop.service.d/95-autoupdate-gate.conf"
    host.write(f"/etc/systemd/system/{shop}", "[Service]\nExecStart=/bin/sleep 9999\n")
    host.write("/etc/autoupdate/apps/shop.toml",
               'path = "/srv/shop"\nservices = ["shop.service"]\n[upstream]\n'
               'url = "https://upstream.invalid/shop.git"\n')  # fmt: skip
    host.systemctl("daemon-reload")
    assert not host.run("autoupdatectl", "gate", "enable", "shpo", "shop", check=False).ok
    host.run("autoupdatectl", "gate", "enable", "shop", "shop")
    assert "pre-start shop" in host.show(shop, "ExecStartPre")["ExecStartPre"]
    host.systemctl("start", shop)
    careless = "/etc/systemd/system/careless.service"
    host.write(careless, "[Service]\nExecStartPre=+/usr/lib/autoupdate/pre-start shop\n"
               "ExecStart=/bin/sleep 9999\n")  # fmt: skip

    said = host.run("apt-get", "remove", "--yes", "ipfs-accelerate-autoupdate", timeout=300).stdout

    assert f"{drop_in} is kept; its service starts without a check" in said
    assert f"{careless} is kept, and its service will NOT start" in said
    host.systemctl("restart", shop, *SERVICES)
    at_home.wait_up()
    host.wait_active(shop)
    host.reboot()
    host.systemctl("start", shop)
    install(host, deb)
    assert host.run("autoupdatectl", "gate", "disable", "shop", "shop").stdout.startswith(shop)
    assert not host.exists(drop_in)
    host.systemctl("restart", shop)
    assert host.show(shop, "ExecStartPre").get("ExecStartPre", "") == ""
    host.run("autoupdatectl", "gate", "disable", SERVICES[0])
    assert "pre-start" not in host.show(SERVICES[0], "ExecStartPre")["ExecStartPre"]
    host.run("autoupdatectl", "gate", "enable", SERVICES[0])
    assert "pre-start" in host.show(SERVICES[0], "ExecStartPre")["ExecStartPre"]


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


HOME = f"/home/{USER}"
# By name, without spaces: the directory, and the unit as an administrator writes it.
KINDS = {
    "dash": ("app", f"WorkingDirectory=-{HOME}/app\nExecStart=/bin/sleep 9"),
    "quoted": ("my app", f'ExecStart="{HOME}/my app/.venv/bin/python3" -m x'),
    "shell": ("my app", f"ExecStart=-@/bin/sh sh -c 'cd \"{HOME}/my app\" && exec sleep 9'"),
    "home": ("app", f"User={USER}\nWorkingDirectory=~\nExecStart=/bin/sh -c 'cd ~/app; sleep 9'"),
    "file": ("app", f"EnvironmentFile=-{HOME}/app/.env\nExecStart=/usr/bin/env"),
    "variable": ("app", f"Environment=AT={HOME}/app\nExecStart=/bin/sh -c 'exec ${{AT}}/run'"),
    "specifier": ("specifier", f"WorkingDirectory={HOME}/%N\nExecStart=/bin/sleep 9"),
    "instance@app": ("app", f"WorkingDirectory={HOME}/%i\nExecStart=/bin/sleep 9"),
    "link": ("app", "WorkingDirectory=/srv/link\nExecStart=/bin/sleep 9"),
    "dynamic": ("app", f"DynamicUser=yes\nExecStart={HOME}/app/run"),
    "bound": ("app", f"BindPaths={HOME}/app:/srv/bound\nExecStart=/srv/bound/run"),
    "root": ("app", f"RootDirectory={HOME}/app\nExecStart=/run"),
    "python": ("app", f"ExecStart=+/usr/bin/python3 {HOME}/app/main.py --at=/etc/app"),
}  # fmt: skip


def test_each_kind_of_unit_says_where_it_runs_from(host: Host) -> None:
    """As systemd has read it; `config show` says it, and each service starts at once."""
    host.run("useradd", "--system", "--create-home", USER)
    for name in ("app", "my app", "specifier"):
        host.run("mkdir", "-p", f"{HOME}/{name}/.git", f"{HOME}/{name}/.venv/bin")
        host.write(f"{HOME}/{name}/.venv/pyvenv.cfg", "")
    host.run("ln", "-s", f"{HOME}/app", "/srv/link")
    for kind, (_, unit) in KINDS.items():
        file = kind.partition("@")[0] + "@" * ("@" in kind)
        host.write(f"/etc/systemd/system/{file}.service", f"[Service]\n{unit}\n")
        describe(host, kind.partition("@")[0], f"{kind}.service")
    host.write("/etc/systemd/system/dropped.service", "[Service]\nWorkingDirectory=/srv\n"
               "ExecStart=/bin/sleep 9\n")  # fmt: skip
    host.run("mkdir", "/etc/systemd/system/dropped.service.d")
    host.write("/etc/systemd/system/dropped.service.d/x.conf",
               f"[Service]\nWorkingDirectory={HOME}/app\n")  # fmt: skip
    describe(host, "dropped", "dropped.service")
    describe(host, "missing", "no-such-unit.service")
    host.systemctl("daemon-reload")

    found = {}
    for name in (*(kind.partition("@")[0] for kind in KINDS), "dropped", "missing"):
        told = host.run("autoupdatectl", "config", "show", "--json", name, check=False)
        facts = json.loads(told.stdout)
        found[name] = facts["settings"]["path"]["value"] if told.ok else facts["reason"]

    wanted = {kind.partition("@")[0]: f"{HOME}/{place}" for kind, (place, _) in KINDS.items()}
    assert "path is not set" in found.pop("missing")
    assert found == {**wanted, "dropped": f"{HOME}/app"}
    # The gate is not part of what the unit names, and lets it start.
    host.run("autoupdatectl", "gate", "enable", "dropped", "dropped")
    host.systemctl("start", "dropped.service")
    assert f"dropped.service runs from {HOME}/app" in host.journal("dropped.service")


def describe(host: Host, app: str, service: str) -> None:
    """Describe an app without a path."""
    url = "https://upstream.invalid/x"
    text = f'services = ["{service}"]\n[upstream]\nurl = "{url}"\n'
    host.write(f"/etc/autoupdate/apps/{app}.toml", text)
