"""restart, exec, forget and the like on a booted Debian."""

import json

import pytest

from tools.lib.hosts.demo_app import SERVICES, USER, DemoApp
from tools.lib.hosts.upstream import Upstream

# Nothing in these verbs depends on the release of Debian.
pytestmark = pytest.mark.only_release("trixie")
CTL = "autoupdatectl"
HOME = "/var/lib/autoupdate/ipfs-accelerate"


def test_exec_is_what_a_service_would_run(deployed_app: DemoApp) -> None:
    host = deployed_app.host
    ask = (
        "import os, pwd, sys, ipfs_accelerate_py as p;"
        " print(pwd.getpwuid(os.getuid()).pw_name, os.getcwd(), p.__file__, os.environ['HOME'])"
    )
    done = host.run(CTL, "exec", "--", "python3", "-c", ask)
    who, where, package, home = done.stdout.split()
    assert (who, home) == (USER, f"/home/{USER}")
    assert where == deployed_app.path or where.startswith(f"{HOME}/releases/")
    assert package.startswith((f"{HOME}/releases/", deployed_app.path))
    assert host.run(CTL, "exec", "--", "sh", "-c", "exit 7", check=False).returncode == 7
    missing = host.run(CTL, "exec", "--", "no-such-program", check=False)
    assert (missing.returncode, len(missing.stderr.splitlines())) == (127, 1), missing
    denied = host.run(CTL, "exec", "--", "touch", f"{where}/x", check=False)
    assert denied.returncode == 1, "a release is read-only for its services"
    assert host.run(CTL, "exec", "--", "cat", input="to it").stdout == "to it"
    assert host.run(CTL, "exec", "--", "true", user="nobody", check=False).returncode == 77


def test_restart_without_an_update(deployed_app: DemoApp, upstream: Upstream) -> None:
    host = deployed_app.host
    upstream.commit(version=2)
    before = {name: host.show(name, "InvocationID") for name in SERVICES}
    host.systemctl("stop", SERVICES[2])
    host.run(CTL, "restart", timeout=120)
    after = {name: host.show(name, "InvocationID") for name in SERVICES}
    assert before[SERVICES[0]] != after[SERVICES[0]]
    assert host.show(SERVICES[2], "ActiveState")["ActiveState"] == "inactive", "it was stopped"
    host.systemctl("start", "--no-block", SERVICES[2])
    deployed_app.wait_up(120)
    assert deployed_app.status()["last_run"]["result"] in ("current", "updated")


def test_forget_after_the_app_was_given_back(deployed_app: DemoApp) -> None:
    host = deployed_app.host
    refused = host.run(CTL, "forget", "--yes", "ipfs-accelerate", check=False)
    assert refused.returncode != 0
    assert "release-path" in refused.stderr, refused
    assert host.exists(f"{HOME}/current")
    host.run(CTL, "release-path", timeout=300)
    deployed_app.wait_up(60)
    host.run(CTL, "forget", "--yes", "ipfs-accelerate")
    assert not host.exists(f"{HOME}/state.db")
    host.systemctl("restart", *SERVICES, timeout=300)
    deployed_app.wait_up(60)
    told = json.loads(host.run(CTL, "status", "--json").stdout)
    assert told["state"] == "unmanaged"
