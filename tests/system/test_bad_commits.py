"""Commits that cannot be built or do not run: the services end on the last good release."""

import json
import time

import pytest

from tools.lib.hosts.broken import Broken
from tools.lib.hosts.demo_app import SERVICES, DemoApp
from tools.lib.hosts.upstream import Upstream

RUN = "autoupdate@ipfs-accelerate.service"

# What is wrong, and a word of the true reason that status must tell.
BAD = [
    # Whichever of the services comes to it first.
    (Broken.IMPORT_ERROR, ".service "),
    (Broken.CRASH_LATER, "ipfs-accelerate.service"),
    (Broken.CRASH_MCP, "ipfs-accelerate-mcp.service"),
    (Broken.HANG_IN_START, "start-pre"),
    (Broken.UNHEALTHY, "status 500"),
    (Broken.REQUIREMENT, "iniconfig==99.99"),
    (Broken.BUILD_HANGS, "did not end within"),
    (Broken.BUILD_FORKS, ""),
]


@pytest.mark.parametrize(("broken", "reason"), BAD, ids=[broken.name for broken, _ in BAD])
def test_bad_commit(deployed_app: DemoApp, upstream: Upstream, broken: Broken, reason: str) -> None:
    host, good = deployed_app.host, upstream.head()
    never_ends = broken in (Broken.BUILD_HANGS, Broken.BUILD_FORKS)
    deployed_app.watch_strictly("20s" if never_ends else "5min")
    bad = upstream.commit(version=3, broken=broken, seconds=2)

    done = host.systemctl("start", RUN, check=False, timeout=300)

    status = deployed_app.status()
    assert done.returncode == 1, status
    assert status["current"]["commit"] == good
    assert [item["commit"] for item in status["quarantine"]] == [bad]
    assert reason in status["quarantine"][0]["reason"]
    assert status["state"] in ("rolled-back", "failed")
    deployed_app.wait_up()
    assert set(deployed_app.versions().values()) == {1}
    left = host.run("ps", "-u", "_autoupdate", "-o", "args=", check=False).stdout
    assert left == "", "processes of the build survived"

    better = upstream.commit(version=4)
    host.systemctl("start", RUN, timeout=300)
    assert deployed_app.status()["current"]["commit"] == better
    assert set(deployed_app.versions().values()) == {4}


def test_build_by_hand_leaves_no_process(deployed_app: DemoApp, upstream: Upstream) -> None:
    """Without a unit whose end would kill them, daemons of a build are found all the same."""
    host = deployed_app.host
    deployed_app.watch_strictly("20s")
    upstream.commit(version=3, broken=Broken.BUILD_FORKS)

    host.run("autoupdatectl", "run", check=False, timeout=300)

    assert host.run("ps", "-u", "_autoupdate", "-o", "args=", check=False).stdout == ""


def test_build_that_fills_the_disk(deployed_app: DemoApp, upstream: Upstream) -> None:
    """The build is ended before others lack space, and is to blame, as the space comes back."""
    host, good = deployed_app.host, upstream.head()
    host.systemctl("stop", *SERVICES)
    state, kept = "/var/lib/autoupdate", "/var/kept"
    host.run("cp", "--archive", state, kept)
    host.run("mount", "-t", "tmpfs", "-o", "size=400M,mode=0755", "tmpfs", state)
    host.run("cp", "--archive", "--no-target-directory", kept, state)
    deployed_app.start()
    bad = upstream.commit(version=3, broken=Broken.BUILD_FILLS_DISK)

    done = host.systemctl("start", RUN, check=False, timeout=300)

    status = deployed_app.status()
    assert done.returncode == 1, status
    assert status["current"]["commit"] == good
    assert [item["commit"] for item in status["quarantine"]] == [bad]
    assert "the build took" in status["quarantine"][0]["reason"]
    deployed_app.wait_up()
    better = upstream.commit(version=4)
    host.systemctl("start", RUN, timeout=300)
    assert deployed_app.status()["current"]["commit"] == better


@pytest.mark.only_release("bookworm")
def test_first_service_alone_meets_a_bad_commit(deployed_app: DemoApp, upstream: Upstream) -> None:
    host, worker = deployed_app.host, SERVICES[2]
    deployed_app.configure_more(f'[health]\nfirst = "{worker}"\nsoak = "3s"\n')
    first = deployed_app.status()["current"]["commit"]
    before = {name: host.show(name, "InvocationID") for name in SERVICES}
    upstream.commit(version=2, broken=Broken.CRASH_LAUNCHER)
    assert not host.systemctl("start", RUN, check=False, timeout=300).ok
    after = {name: host.show(name, "InvocationID") for name in SERVICES}
    assert {name for name in SERVICES if after[name] != before[name]} == {worker}
    assert deployed_app.status()["current"]["commit"] == first
    upstream.commit(version=3)
    host.systemctl("start", RUN, timeout=300)
    deployed_app.wait_up()
    assert set(deployed_app.versions().values()) == {3}


def test_rollback_by_hand(deployed_app: DemoApp, upstream: Upstream) -> None:
    """Back to the previous release at once, and there it stays until something newer comes."""
    host, first = deployed_app.host, upstream.head()
    second = upstream.commit(version=2)
    host.systemctl("start", RUN, timeout=300)

    said = json.loads(host.run("autoupdatectl", "rollback", "--json").stdout)

    assert said["result"] == "rolled-back"
    deployed_app.wait_up()
    assert set(deployed_app.versions().values()) == {1}
    assert deployed_app.status()["current"]["commit"] == first
    host.run("autoupdatectl", "run")
    assert deployed_app.status()["current"]["commit"] == first
    host.run("autoupdatectl", "quarantine", "clear", second[:12])
    host.run("autoupdatectl", "run")
    assert deployed_app.status()["current"]["commit"] == second


def test_both_releases_broken(deployed_app: DemoApp, upstream: Upstream) -> None:
    """When the good release does not run any more either: exit code 3, both facts, hands off."""
    host = deployed_app.host
    upstream.commit(version=3, broken=Broken.CRASH)
    # The good release loses a file that it needs, as a careless hand would do it.
    release = deployed_app.status()["current"]["release"]
    good = f"/var/lib/autoupdate/ipfs-accelerate/releases/{release}"
    host.run("rm", "--recursive", f"{good}/ipfs_accelerate_py/serve.py")
    host.run("sh", "-c", f"rm -f {good}/ipfs_accelerate_py/__pycache__/serve.*")

    done = host.run("autoupdatectl", "run", check=False, timeout=300)

    assert done.returncode == 3
    assert "does not run" in done.stderr
    assert "manual action needed" in done.stderr
    assert deployed_app.status()["last_run"]["exit_code"] == 3


def test_systemd_executes_itself_anew(deployed_app: DemoApp, upstream: Upstream) -> None:
    """As after an upgrade of its package: it hears nobody for moments; no commit is to blame."""
    host = deployed_app.host
    host.write("/run/upgrading", "")
    # On a busy machine that takes the better part of a second: it has to be heard in between.
    again = "while [ -e /run/upgrading ]; do systemctl daemon-reexec; sleep 1; done"
    upgrades = host.popen("sh", "-c", again)
    commit = upstream.commit(version=2)

    host.run("autoupdatectl", "run", timeout=300)
    upstream.commit(version=3, broken=Broken.CRASH)
    assert host.run("autoupdatectl", "run", check=False, timeout=300).returncode == 1

    host.run("rm", "/run/upgrading")
    upgrades.communicate(timeout=60)
    deployed_app.wait_up()
    assert set(deployed_app.versions().values()) == {2}
    assert deployed_app.status()["current"]["commit"] == commit


def test_probation_survives_a_reboot(deployed_app: DemoApp, upstream: Upstream) -> None:
    """A release that a start brought in is watched after the boot, if the host goes down first."""
    host, good = deployed_app.host, upstream.head()
    host.systemctl("enable", "ipfs-accelerate.service", "ipfs-accelerate-mcp.service")
    deployed_app.configure_more('[health]\nsoak = "6s"\n')
    upstream.commit(version=3, broken=Broken.CRASH_LATER, seconds=4)
    deployed_app.forget_freshness()
    host.systemctl("restart", "ipfs-accelerate.service", timeout=300)
    assert deployed_app.status()["state"] == "probation"

    host.reboot(power_cut=True, timeout=120)

    deployed_app.wait_state("rolled-back", 90)
    host.wait_active("ipfs-accelerate.service")
    assert deployed_app.status()["current"]["commit"] == good
    assert deployed_app.health()["version"] == 1


def test_shared_files_go_back_with_the_code(deployed_app: DemoApp, upstream: Upstream) -> None:
    """A file whose format moves with the code is as it was before, when the code goes back."""
    host, path = deployed_app.host, deployed_app.path
    deployed_app.configure_more('shared_snapshot = ["state/*.duckdb"]\n')
    host.run("sh", "-c", f"echo format 1 >{path}/state/app.duckdb", user="accelerate")
    upstream.commit(
        version=3,
        broken=Broken.CRASH_LATER,
        seconds=1,
        files={"ipfs_accelerate_py/__init__.py": MIGRATE},
    )

    done = host.systemctl("start", RUN, check=False, timeout=300)

    assert done.returncode == 1
    deployed_app.wait_up()
    assert "shared files restored as they were before the update" in host.journal("autoupdate")
    assert host.read(f"{path}/state/app.duckdb") == "format 1\n"
    assert "format 3" in host.read(f"{path}/state/README")
    owner = host.run("stat", "--format=%U", f"{path}/state/app.duckdb").stdout
    assert owner == "accelerate\n"


# Version 3 changes its file at its start; what is not named in shared_snapshot stays changed.
MIGRATE = """
from pathlib import Path

for name in ("app.duckdb", "README"):
    if Path("state", name).exists() and Path("state/launcher.json").exists():
        try:
            Path("state", name).write_text("format 3")
        except OSError:
            pass
"""


def test_interpreter_of_the_host_changes(deployed_app: DemoApp, upstream: Upstream) -> None:
    """The same commit is built again for another interpreter, by the next start of a service."""
    host = deployed_app.host
    before = deployed_app.status()["current"]
    host.run("sh", "-c", "cp $(readlink -f /usr/bin/python3) /usr/local/bin/python-of-another-path")
    deployed_app.configure_more('[build]\npython = "/usr/local/bin/python-of-another-path"\n')
    deployed_app.forget_freshness()

    host.systemctl("restart", "ipfs-accelerate.service", timeout=300)

    deployed_app.wait_up()
    after = deployed_app.status()["current"]
    assert after["commit"] == before["commit"]
    assert after["release"] != before["release"]
    link = host.run("readlink", "-f", f"{deployed_app.path}/.venv/bin/python3").stdout
    assert link == "/usr/local/bin/python-of-another-path\n"


def test_current_release_is_deleted(deployed_app: DemoApp) -> None:
    """systemd has given up on a service when the next run makes the release anew."""
    host, before = deployed_app.host, deployed_app.status()["current"]
    pause = f"/etc/systemd/system/{SERVICES[0]}.d/pause.conf"
    host.write(pause, "[Service]\nRestartSec=100ms\n")
    host.systemctl("daemon-reload")
    host.run("rm", "-r", f"/var/lib/autoupdate/ipfs-accelerate/releases/{before['release']}")
    host.systemctl("restart", SERVICES[0], check=False)
    host.wait_for(
        lambda: host.show(SERVICES[0], "ActiveState")["ActiveState"] == "failed", 30, "gives up"
    )

    host.run("autoupdatectl", "run", timeout=300)

    deployed_app.wait_up()
    assert deployed_app.status()["current"]["commit"] == before["commit"]


@pytest.mark.parametrize("starts_update", [True, False])
def test_interpreter_changes_while_no_update_is_wanted(
    deployed_app: DemoApp, upstream: Upstream, starts_update: bool
) -> None:
    """Under a hold, or where starts bring no updates in, services come up all the same."""
    host = deployed_app.host
    before = deployed_app.status()["current"]
    upstream.commit(version=2)
    host.run("sh", "-c", "cp $(readlink -f /usr/bin/python3) /usr/local/bin/python-of-another-path")
    more = '[build]\npython = "/usr/local/bin/python-of-another-path"\n'
    if starts_update:
        host.run("autoupdatectl", "hold")
    else:
        more += "[start]\nupdate = false\n"
    deployed_app.configure_more(more)

    host.systemctl("restart", "ipfs-accelerate.service", timeout=300)

    deployed_app.wait_up()
    after = deployed_app.status()
    assert after["current"]["commit"] == before["commit"]
    assert after["current"]["release"] != before["release"]
    assert bool(after["hold"]) == starts_update


def test_release_that_somebody_deleted(deployed_app: DemoApp) -> None:
    """The services' namespaces cannot be set up then, and systemd must not give up for that."""
    host, worker = deployed_app.host, "containerized-runner-launcher.service"
    host.run("sh", "-c", f'rm -r "$(realpath {deployed_app.path})"')
    host.systemctl("kill", "--signal=KILL", worker)
    host.wait_for(lambda: host.show(worker, "MainPID")["MainPID"] == "0", 10, "it has ended")
    # As long as its Restart= line waits, and a little longer.
    time.sleep(4)

    host.run("autoupdatectl", "run", timeout=300)

    deployed_app.wait_up()


def test_commits_pushed_while_runs_are_under_way(deployed_app: DemoApp, upstream: Upstream) -> None:
    """Ten good and bad commits while three writers ask for runs: the last good one is current."""
    host = deployed_app.host
    deployed_app.configure(upstream.url, soak="0.5s")
    bad = {3: Broken.CRASH, 5: Broken.REQUIREMENT, 8: Broken.IMPORT_ERROR}
    commits = {}
    writers = []
    for version in range(2, 12):
        commits[version] = upstream.commit(version=version, broken=bad.get(version))
        asked = ("systemctl", "start", RUN) if version % 3 else ("autoupdatectl", "run")
        writers.append(host.popen(*asked))
        time.sleep(1)
    for writer in writers:
        writer.communicate(timeout=300)

    host.run("autoupdatectl", "run", timeout=300)

    deployed_app.wait_up()
    assert set(deployed_app.versions().values()) == {11}
    assert deployed_app.status()["current"]["commit"] == commits[11]
    entries = json.loads(host.run("autoupdatectl", "history", "--json", "--limit", "50").stdout)
    assert all(entry["finished_at"] for entry in entries)
    seen = {entry["commit"] for entry in entries}
    assert seen <= {*commits.values(), upstream.git("rev-list", "--max-parents=0", "HEAD")}
    for entry in entries:
        version = next((v for v, name in commits.items() if name == entry["commit"]), 1)
        assert (entry["result"] == "updated") == (version not in bad), entry
