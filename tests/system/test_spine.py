"""The main job on a booted Debian: deploy, update, restart, go back."""

import re

from tools.lib.hosts.broken import Broken
from tools.lib.hosts.demo_app import SERVICES, DemoApp
from tools.lib.hosts.host import Host
from tools.lib.hosts.upstream import Upstream

RUN = "autoupdate@ipfs-accelerate.service"
LOG = "/var/log/autoupdate/auto-update.log"
EVERYWHERE = ("serve", "mcp", "launcher")


def test_installing_starts_nothing(host: Host) -> None:
    """The timer is the administrator's to enable."""
    assert host.show("autoupdate.timer", "ActiveState")["ActiveState"] == "inactive"
    enabled = host.systemctl("is-enabled", "autoupdate.timer", check=False).stdout.strip()
    assert enabled == "disabled"
    assert host.failed_units() == []


def test_first_deployment(app: DemoApp, upstream: Upstream) -> None:
    """One start of the unit deploys; log file, journal and status agree on the commit."""
    host, commit = app.host, upstream.head()

    host.systemctl("enable", "--now", "autoupdate.timer")
    host.systemctl("start", RUN, timeout=300)
    app.start()
    app.wait_up()

    timers = host.run("systemctl", "list-timers", "--no-pager", "autoupdate.timer").stdout
    assert re.search(r"\b(00|06|12|18):\d\d:\d\d\b", timers), timers
    assert app.versions() == dict.fromkeys(EVERYWHERE, 1)
    line = f"Successfully updated to commit: {commit}"
    stamped = rf"^\[\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\] {line}$"
    assert re.search(stamped, host.read(LOG), re.MULTILINE)
    told = [entry for entry in host.journal_entries("autoupdate") if entry["MESSAGE"] == line]
    assert [entry["AUTOUPDATE_COMMIT"] for entry in told] == [commit]
    assert told[0]["AUTOUPDATE_APP"] == "ipfs-accelerate"
    assert told[0]["MESSAGE_ID"]
    assert app.status()["current"]["commit"] == commit
    assert app.status()["state"] == "current"


def test_restart_of_one_service_updates_all(deployed_app: DemoApp, upstream: Upstream) -> None:
    """A restart of one service alone brings a new commit in, for the others that run, too."""
    commit = upstream.commit(version=2)
    deployed_app.forget_freshness()

    deployed_app.host.systemctl("restart", SERVICES[0], timeout=300)

    deployed_app.wait_up()
    assert deployed_app.versions() == dict.fromkeys(EVERYWHERE, 2)
    assert deployed_app.status()["current"]["commit"] == commit
    deployed_app.wait_state("current")
    assert deployed_app.status()["last_run"]["result"] == "updated"


def test_restart_without_news_rebuilds_nothing(deployed_app: DemoApp, upstream: Upstream) -> None:
    before = deployed_app.status()["current"]
    deployed_app.forget_freshness()
    upstream.server.forget()

    deployed_app.host.systemctl("restart", SERVICES[0])

    deployed_app.wait_up()
    assert deployed_app.status()["current"] == before
    assert len(upstream.server.checks()) == 1
    assert upstream.server.fetches() == []


def test_three_services_start_at_boot(deployed_app: DemoApp, upstream: Upstream) -> None:
    """One check upstream serves all three; nobody waits for ever, and the news come in."""
    host = deployed_app.host
    host.systemctl("enable", *SERVICES)
    host.poweroff()
    commit = upstream.commit(version=2)
    upstream.server.forget()

    host.boot(timeout=120)

    deployed_app.wait_up(60)
    # A look at the branch, the fetch that it led to, and one for the tags of that commit.
    assert len(upstream.server.checks()) == 3
    assert len(upstream.server.fetches()) == 1
    assert deployed_app.versions() == dict.fromkeys(EVERYWHERE, 2)
    assert deployed_app.status()["current"]["commit"] == commit


def test_slow_starts_do_not_wait_for_each_other(deployed_app: DemoApp, upstream: Upstream) -> None:
    """A service whose gate asks late, when no check is fresh, is watched already: no deadlock."""
    host = deployed_app.host
    deployed_app.configure_more('[start]\nfresh_for = "0s"\n')
    slow = f"/etc/systemd/system/{SERVICES[2]}.d/10-slow.conf"
    host.write(slow, "[Service]\nExecStartPre=/bin/sleep 1\n")
    host.systemctl("daemon-reload")
    deployed_app.forget_freshness()
    commit = upstream.commit(version=2)

    host.systemctl("restart", SERVICES[0], timeout=300)

    deployed_app.wait_state("current", 60)
    deployed_app.wait_up()
    assert deployed_app.versions() == dict.fromkeys(EVERYWHERE, 2)
    assert deployed_app.status()["current"]["commit"] == commit


def test_broken_commit_is_rolled_back(deployed_app: DemoApp, upstream: Upstream) -> None:
    """A commit that does not run is left again, told, and not tried a second time."""
    good = upstream.head()
    bad = upstream.commit(version=3, broken=Broken.CRASH)

    done = deployed_app.host.systemctl("start", RUN, check=False, timeout=300)

    assert done.returncode == 1
    deployed_app.wait_up()
    status = deployed_app.status()
    assert status["state"] == "rolled-back"
    assert status["current"]["commit"] == good
    assert [item["commit"] for item in status["quarantine"]] == [bad]
    assert "ipfs-accelerate.service" in status["quarantine"][0]["reason"]
    assert deployed_app.versions() == dict.fromkeys(EVERYWHERE, 1)
    deployed_app.host.systemctl("start", RUN, timeout=300)
    assert deployed_app.status()["current"]["commit"] == good


def test_broken_commit_brought_in_by_a_start(deployed_app: DemoApp, upstream: Upstream) -> None:
    """The probation goes on after the start that brought the commit in, and rolls back itself."""
    good = upstream.head()
    upstream.commit(version=3, broken=Broken.CRASH_LATER, seconds=1)
    deployed_app.forget_freshness()

    deployed_app.host.systemctl("restart", SERVICES[0], timeout=300)

    deployed_app.wait_state("rolled-back")
    deployed_app.wait_up()
    assert deployed_app.status()["current"]["commit"] == good
    assert deployed_app.versions() == dict.fromkeys(EVERYWHERE, 1)


def test_stopped_services_stay_stopped(deployed_app: DemoApp, upstream: Upstream) -> None:
    """An update restarts what runs, and starts nothing that an administrator stopped."""
    host = deployed_app.host
    host.systemctl("stop", SERVICES[1])
    upstream.commit(version=2)

    host.systemctl("start", RUN, timeout=300)

    assert host.show(SERVICES[1], "ActiveState")["ActiveState"] == "inactive"
    assert deployed_app.health("serve")["version"] == 2


def test_what_services_wrote_outlives_an_update(deployed_app: DemoApp, upstream: Upstream) -> None:
    """State is linked into each release, and belongs to the services' user."""
    host, path = deployed_app.host, deployed_app.path
    host.run("sh", "-c", f"echo precious >{path}/state/README", user="accelerate")
    upstream.commit(version=2)

    host.systemctl("start", RUN, timeout=300)

    assert host.read(f"{path}/state/README") == "precious\n"
    assert deployed_app.worker()["version"] == 2
    denied = host.run("touch", f"{path}/setup.py", user="accelerate", check=False)
    assert denied.returncode != 0


def test_local_changes_become_a_stash(deployed_app: DemoApp, upstream: Upstream) -> None:
    host, path = deployed_app.host, deployed_app.path
    host.run("sh", "-c", f"echo '# by hand' >>{path}/setup.py")
    upstream.commit(version=2)

    host.systemctl("start", RUN, timeout=300)

    mirror = "/var/lib/autoupdate/ipfs-accelerate/repo.git"
    stashes = host.run("git", "-C", mirror, "stash", "list", user="_autoupdate").stdout
    assert re.search(r"local changes in release \S+, saved \d{4}-\d\d-\d\dT", stashes)
    shown = host.run("git", "-C", mirror, "stash", "show", "--patch", user="_autoupdate").stdout
    assert "+# by hand" in shown
    assert "setup.py" in host.read(LOG)
    assert "by hand" not in host.read(f"{path}/setup.py")


def test_log_file_survives_rotation(deployed_app: DemoApp, upstream: Upstream) -> None:
    host = deployed_app.host
    host.run("logrotate", "--force", "/etc/logrotate.d/autoupdate")
    assert host.read(LOG) == ""
    commit = upstream.commit(version=2)

    host.systemctl("start", RUN, timeout=300)

    assert f"Successfully updated to commit: {commit}" in host.read(LOG)
    assert host.run("stat", "--format=%U:%G:%a", LOG).stdout.strip() == "root:adm:640"


def test_two_runs_at_once(deployed_app: DemoApp, upstream: Upstream) -> None:
    """The second waits for the first, or leaves with 75."""
    host = deployed_app.host
    commit = upstream.commit(version=2)
    host.systemctl("start", "--no-block", RUN)
    host.wait_for(lambda: deployed_app.status()["state"] == "updating", 30, "a run is under way")

    refused = host.run("autoupdatectl", "run", "--no-wait", check=False)
    waited = host.run("autoupdatectl", "run", timeout=300)

    assert refused.returncode == 75
    assert len(refused.stderr.splitlines()) <= 2
    assert commit[:12] in waited.stdout
    assert len(upstream.server.fetches()) <= 2
