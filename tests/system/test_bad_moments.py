"""Settings that cannot be used, and runs that end while they watch a release, on a real host."""

import json
from typing import Any

from tools.lib.hosts.demo_app import CONFIGURATION, SERVICES, DemoApp
from tools.lib.hosts.upstream import Upstream

APPS = "/etc/autoupdate/apps"
RUN = "autoupdate@ipfs-accelerate.service"


def look(app: DemoApp) -> dict[str, Any]:
    """Return what `status --json` prints, whatever its exit code is."""
    shown = app.host.run("autoupdatectl", "status", "--json", "ipfs-accelerate", check=False)
    facts: dict[str, Any] = json.loads(shown.stdout)
    return facts


def restart_all(app: DemoApp) -> None:
    """Restart all services, each through its gate."""
    app.forget_freshness()
    app.host.systemctl("restart", *SERVICES, timeout=120)
    app.wait_up()


def test_settings_that_cannot_be_used_keep_no_service_down(
    deployed_app: DemoApp, upstream: Upstream
) -> None:
    host = deployed_app.host
    second = upstream.commit(version=2)
    for name in ("web.toml.bak", "#web.toml#", "web.toml.dpkg-old"):
        host.write(f"{APPS}/{name}", "not = [ toml")
    host.run("mkfifo", f"{APPS}/pipe.toml", f"{CONFIGURATION}.fifo")
    restart_all(deployed_app)
    assert deployed_app.status()["current"]["commit"] == second, "foreign files do not matter"
    checked = host.run("autoupdatectl", "config", "check").stdout
    for name in ("web.toml.bak", "#web.toml#", "web.toml.dpkg-old", "pipe.toml"):
        assert f"{name} is ignored" in " ".join(checked.split())

    upstream.commit(version=3)
    good = host.read(CONFIGURATION)
    for text, mode, said in (
        (f"{good}\n[upstream\n", 0o644, "line"),
        (f"{good}\nkeep = 0\n", 0o644, "keep"),
        (good, 0o666, "is not trusted"),
    ):
        host.write(CONFIGURATION, text, mode)
        host.run("chmod", f"{mode:o}", CONFIGURATION)
        restart_all(deployed_app)
        assert set(deployed_app.versions().values()) == {2}
        refused = host.run("autoupdatectl", "run", "ipfs-accelerate", check=False)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert CONFIGURATION in refused.stderr
        assert said in refused.stderr
        shown = look(deployed_app)
        assert CONFIGURATION in shown["settings_fault"]["message"]
        assert shown["current"]["commit"] == second
    assert "starts on release" in host.journal(SERVICES[0])

    host.reboot()
    deployed_app.start()
    deployed_app.wait_up()
    assert set(deployed_app.versions().values()) == {2}

    host.write(CONFIGURATION, good)
    host.run("chmod", "644", CONFIGURATION)
    host.run("autoupdatectl", "run", "ipfs-accelerate", timeout=300)
    assert set(deployed_app.versions().values()) == {3}


def test_somebody_watches_or_it_is_said_that_nobody_does(
    deployed_app: DemoApp, upstream: Upstream
) -> None:
    host = deployed_app.host
    deployed_app.configure_more('[health]\nsoak = "10s"\n')

    upstream.commit(version=2)
    host.systemctl("start", "--no-block", RUN)
    deployed_app.wait_state("probation", 120)
    assert look(deployed_app)["watched"]
    host.systemctl("stop", RUN)
    shown = look(deployed_app)
    assert (shown["state"], shown["watched"]) == ("probation", True)
    deployed_app.wait_state("current")
    assert set(deployed_app.versions().values()) == {2}

    third = upstream.commit(version=3)
    by_hand = ("systemd-run", "--unit=by-hand", "autoupdatectl", "run", "ipfs-accelerate")
    host.run(*by_hand)
    deployed_app.wait_state("probation", 120)
    host.systemctl("kill", "--signal=HUP", "by-hand.service")
    assert look(deployed_app)["state"] == "probation"
    deployed_app.wait_state("current")
    assert look(deployed_app)["last_run"]["result"] == "updated"
    assert look(deployed_app)["current"]["commit"] == third

    upstream.commit(version=4)
    host.systemctl("start", "--no-block", RUN)
    deployed_app.wait_state("probation", 120)
    # A service whose start waits at the gate would start another run.
    deployed_app.wait_up()
    host.systemctl("kill", "--signal=KILL", RUN)
    host.wait_for(lambda: not look(deployed_app)["watched"], 30, "status says so")
    words = " ".join(host.run("autoupdatectl", "status", "ipfs-accelerate").stdout.split())
    assert "nobody watches it" in words
    assert "autoupdatectl run ipfs-accelerate" in words
    host.run("autoupdatectl", "run", "ipfs-accelerate", timeout=120)
    assert look(deployed_app)["state"] == "current"
    assert set(deployed_app.versions().values()) == {4}


def test_probe_that_is_wrong_blames_nobody(deployed_app: DemoApp, upstream: Upstream) -> None:
    host, first = deployed_app.host, upstream.head()
    upstream.commit(version=2)
    before = [host.show(service, "MainPID") for service in SERVICES]
    probe = f"""
        [[health.probe]]
        type = "http"
        url = "http://127.0.0.1:{host.port("serve")}/%s"
        service = "ipfs-accelerate.service"
        interval = "0.2s"
        grace = "1s"
    """
    deployed_app.configure_more(probe % "no-such-page")
    refused = host.run("autoupdatectl", "run", check=False, timeout=300)
    assert refused.returncode == 1
    assert "fails on what runs now" in refused.stderr
    assert "health.probe" in refused.stderr
    shown = look(deployed_app)
    assert (shown["current"]["commit"], shown["quarantine"]) == (first, [])
    assert [host.show(service, "MainPID") for service in SERVICES] == before
    deployed_app.configure_more(probe % "health")
    host.run("autoupdatectl", "run", timeout=300)
    assert set(deployed_app.versions().values()) == {2}


def test_services_that_take_long_to_stop_or_end_by_themselves(
    deployed_app: DemoApp, upstream: Upstream
) -> None:
    host = deployed_app.host
    job = "job.service"
    host.write(
        f"/etc/systemd/system/{job}", "[Service]\nType=oneshot\nExecStart=/usr/bin/sleep 600\n"
    )
    services = ", ".join(f'"{name}"' for name in (*SERVICES, job))
    deployed_app.configure_more(f"services = [{services}]\n", "60-job")
    slow = f"/etc/systemd/system/{SERVICES[0]}.d/slow.conf"
    host.write(slow, "[Service]\nExecStop=/usr/bin/sleep 8\nTimeoutStopSec=15s\n")
    host.systemctl("daemon-reload")
    deployed_app.configure_more('[health]\nstart_timeout = "5s"\n')
    host.systemctl("start", "--no-block", job)
    before = host.show(job, "MainPID", "ActiveState")
    upstream.commit(version=2)
    host.run("autoupdatectl", "run", timeout=300)
    assert set(deployed_app.versions().values()) == {2}
    assert look(deployed_app)["quarantine"] == []
    assert host.show(job, "MainPID", "ActiveState") == before
    assert f"{job} does something and ends" in host.run("autoupdatectl", "config", "check").stdout


def test_wrong_words_and_users_without_rights(deployed_app: DemoApp, upstream: Upstream) -> None:
    host, first = deployed_app.host, upstream.head()
    made_up = "0123456789" * 4
    for words in (("pin", made_up), ("pin", first[:6] + "f" * 34)):
        refused = host.run("autoupdatectl", *words, check=False)
        assert refused.returncode == 2, refused.stderr
        assert "is not a commit of" in refused.stderr
    assert look(deployed_app)["pin"] is None

    deployed_app.configure_more('[build]\npython = "/usr/bin/python3.99"\n')
    refused = host.run("autoupdatectl", "run", check=False)
    assert (refused.returncode, "apt install python3.99-venv" in refused.stderr) == (2, True)
    assert look(deployed_app)["quarantine"] == []
    restart_all(deployed_app)

    host.run("git", "clone", "--quiet", "--bare", upstream.url, "/srv/upstream.git")
    deployed_app.configure_more('[upstream]\nurl = "file:///srv/upstream.git"\n')
    told = host.run("autoupdatectl", "check", user="accelerate", check=False)
    assert (told.returncode, told.stderr) == (0, "")
    assert "up to date" in told.stdout
    deployed_app.configure_more('[upstream]\nurl = "ssh://nobody@127.0.0.1:1/app.git"\n')
    told = host.run("autoupdatectl", "check", user="accelerate", check=False)
    assert told.returncode == 69
    assert len(told.stderr.splitlines()) == 1
