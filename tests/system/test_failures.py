"""What the gate does when there is no update to be had, and what bad input leads to."""

import pytest

from tools.lib.hosts.broken import Broken
from tools.lib.hosts.demo_app import CONFIGURATION, SERVICES, DemoApp
from tools.lib.hosts.git_server import Mode
from tools.lib.hosts.upstream import Upstream

POLICY = "[start]\nif_update_fails = '{}'\n"


def processes(app: DemoApp) -> list[str]:
    """Return the main processes of the services that a test does not restart itself."""
    return [app.host.show(service, "MainPID")["MainPID"] for service in SERVICES[1:]]


@pytest.mark.parametrize("fault", ["upstream is down", "a requirement does not exist"])
def test_block_keeps_the_service_down(
    deployed_app: DemoApp, upstream: Upstream, fault: str
) -> None:
    host, before = deployed_app.host, processes(deployed_app)
    expected = break_update(upstream, fault)
    deployed_app.forget_freshness()

    done = host.systemctl("restart", SERVICES[0], check=False, timeout=300)

    assert done.returncode != 0
    # Restart=always asks the gate again and again: the answer must stay the same.
    host.wait_for(
        lambda: int(host.show(SERVICES[0], "NRestarts")["NRestarts"]) >= 2, 60, "two more tries"
    )
    assert host.show(SERVICES[0], "MainPID")["MainPID"] == "0"

    def shown() -> bool:
        status = host.systemctl("status", "--lines=30", "--full", SERVICES[0], check=False).stdout
        return expected in status and "if_update_fails" in status

    host.wait_for(shown, 30, "systemctl status tells the reason")
    assert processes(deployed_app) == before


def test_refusals_do_not_use_up_the_start_limit(deployed_app: DemoApp, upstream: Upstream) -> None:
    """systemd gives up on a unit that starts too often; nobody would start it again."""
    host = deployed_app.host
    for service in SERVICES:
        pause = f"/etc/systemd/system/{service}.d/pause.conf"
        host.write(pause, "[Service]\nRestartSec=100ms\n")
    host.systemctl("daemon-reload")
    upstream.server.stop()
    deployed_app.forget_freshness()
    host.systemctl("restart", "--no-block", *SERVICES)

    def tries() -> int:
        return int(host.show(SERVICES[0], "NRestarts")["NRestarts"])

    host.wait_for(lambda: tries() >= 6, 90, "more tries than systemd allows in ten seconds")
    assert "too quickly" not in host.journal("autoupdate@ipfs-accelerate.service")
    upstream.server.start()

    deployed_app.wait_up()


@pytest.mark.parametrize("fault", ["upstream is down", "a requirement does not exist"])
def test_start_takes_the_last_good_release(
    deployed_app: DemoApp, upstream: Upstream, fault: str
) -> None:
    host, before, good = deployed_app.host, processes(deployed_app), upstream.head()
    deployed_app.configure_more(POLICY.format("start"))
    expected = break_update(upstream, fault)
    deployed_app.forget_freshness()

    host.systemctl("restart", SERVICES[0], timeout=300)

    deployed_app.wait_up()
    assert deployed_app.health()["version"] == 1
    assert deployed_app.status()["current"]["commit"] == good
    assert expected in host.journal(SERVICES[0])
    assert processes(deployed_app) == before


def break_update(upstream: Upstream, fault: str) -> str:
    """Make the next update impossible; return what the administrator must read of it."""
    if fault == "upstream is down":
        upstream.server.stop()
        return "cannot be read"
    upstream.commit(version=2, broken=Broken.REQUIREMENT)
    return "failed"


def test_unmanaged_app_starts(app: DemoApp, upstream: Upstream) -> None:
    """A plain directory at the app's path is not ours: the gate says so and lets it start."""
    host = app.host
    app.deploy_by_hand(upstream.url)

    app.start()

    app.wait_up()
    assert "not managed by autoupdate" in host.journal(SERVICES[0])
    refused = host.run("autoupdatectl", "run", check=False)
    assert refused.returncode == 2
    assert "already exists and is not managed by autoupdate" in refused.stderr
    assert app.status()["state"] == "unmanaged"


BAD_INPUT = {
    "unknown key": ("[upstream]\nurk = 'x'\n", 2, "did you mean 'upstream.url'"),
    "wrong type": ("keep = 'three'\n", 2, "keep must be"),
    "not TOML": ("keep = \n", 2, "is not TOML"),
    "relative path": ("path = 'opt/app'\n", 2, "path must be an absolute path"),
    "missing branch": ("[upstream]\ntrack = 'branch:gone'\n", 2, "has no branch gone"),
    "unknown host": ("[upstream]\nurl = 'http://upstream.invalid/app.git'\n", 69, "resolve"),
}
BAD_ANSWERS = {
    Mode.NOT_FOUND: "not found",
    Mode.UNAUTHORIZED: "",
    Mode.GARBAGE: "",
    Mode.GARBAGE_LINE: "no branch",
}


def test_bad_input_changes_nothing(deployed_app: DemoApp, upstream: Upstream) -> None:
    """One clear line, an exit code, and everything as it was."""
    host, before = deployed_app.host, deployed_app.status()["current"]
    running = processes(deployed_app)
    for name, (toml, code, expected) in BAD_INPUT.items():
        deployed_app.configure_more(toml)
        refused = host.run("autoupdatectl", "run", check=False)
        assert (name, refused.returncode) == (name, code), refused.stderr
        assert expected in refused.stderr, name
        assert "Traceback" not in refused.stderr
        assert refused.stdout == ""
    host.run("rm", "--recursive", f"{CONFIGURATION}.d")
    for mode, expected in BAD_ANSWERS.items():
        upstream.server.mode = mode
        refused = host.run("autoupdatectl", "run", check=False)
        assert (mode, refused.returncode) == (mode, 69), refused.stderr
        assert expected in refused.stderr
        assert len(refused.stderr.splitlines()) <= 2
    nobody = host.run("autoupdatectl", "run", "no-such-app", check=False)
    assert nobody.returncode == 2
    assert "no-such-app" in nobody.stderr
    unprivileged = host.run("autoupdatectl", "run", user="accelerate", check=False)
    assert unprivileged.returncode == 77
    upstream.server.mode = Mode.GOOD
    host.run("autoupdatectl", "run")
    assert deployed_app.status()["current"] == before
    assert processes(deployed_app) == running
