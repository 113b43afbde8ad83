"""A checkout that was deployed by hand becomes a managed app, and is given back."""

import json
from typing import Any

from tests.hosts.demo_app import SERVICES, USER, DemoApp
from tests.hosts.host import Host
from tests.hosts.old_deployment import CRON_LINE, CRONTAB, EDITED, FILES, PATH, many_files
from tests.hosts.upstream import Upstream

HOME = "/var/lib/autoupdate/ipfs-accelerate"
RUN = "autoupdate@ipfs-accelerate.service"
# What the services themselves write while they run, and what a compiler leaves.
BUSY = ("state/launcher.json", "state/starts", "state/old-updates", "logs/", "state/certificate",
        "state/key.pem")  # fmt: skip

# A service may rename a file while it is looked at.
ACCOUNT = """
import json, sys
from autoupdate.manifest import manifest
for _ in range(20):
    try:
        print(json.dumps(manifest(sys.argv[1])))
        break
    except FileNotFoundError:
        continue
"""
# Starts an adoption, and kills it as soon as a condition of the shell holds.
KILL_WHEN = """
autoupdatectl adopt "$1" >/dev/null 2>&1 & adoption=$!
while ! {condition}; do [ -d "/proc/$adoption" ] || exit 1; done
kill -KILL "$adoption"
"""
MOVING = f"[ -e {HOME}/relocation.json ]"
MOVED = f"[ -L {PATH} ]"


def test_adoption(old_app: DemoApp, upstream: Upstream) -> None:
    """Every byte is accounted for; the services go on, and the old system is at rest."""
    host, commit = old_app.host, upstream.head()
    before = account(host, PATH)
    ran = host.read(f"{PATH}/state/old-updates").count("ran")
    written = host.read(f"{PATH}/logs/launcher.log")

    done = host.run("autoupdatectl", "adopt", PATH, timeout=300)

    assert f"at commit {commit} (main), with 3 changed, 20 untracked" in done.stdout
    assert f"cron line of the old update system, to be disabled: {CRONTAB}:2" in done.stdout
    assert f"{HOME}/repo.git stash list" in done.stdout
    old_app.wait_up()
    assert old_app.status()["state"] == "current"
    assert old_app.status()["current"]["commit"] == commit
    assert_every_byte(host, before)
    assert host.read(f"{HOME}/shared/logs/launcher.log").startswith(written)
    assert f"\n# disabled by autoupdatectl adopt: {CRON_LINE}\n" in host.read(CRONTAB)
    assert host.run("stat", "-c", "%a %U", CRONTAB).stdout == f"600 {USER}\n"
    assert host.read(f"{PATH}/state/old-updates").count("ran") == ran
    stash = ("git", "-C", f"{HOME}/repo.git", "show", "--format=", "--name-only")
    tracked = host.run(*stash, "stash@{0}", user="_autoupdate").stdout.splitlines()
    assert set(EDITED) <= set(tracked)
    assert len([path for path in tracked if path.startswith("mine/")]) == 20
    upstream.commit(version=2, files=many_files())
    host.run("autoupdatectl", "run", timeout=300)
    old_app.wait_up()
    assert set(old_app.versions().values()) == {2}


def test_adoption_killed(old_app: DemoApp) -> None:
    """Whoever finds half an adoption undoes it: the confined unit, and a start at boot."""
    host = old_app.host
    before = account(host, PATH)

    host.run("sh", "-c", KILL_WHEN.format(condition=MOVING), "kill", PATH, timeout=300)
    host.systemctl("start", RUN, check=False, timeout=300)

    assert_as_before(old_app, before)
    host.systemctl("enable", *SERVICES)
    host.run("sh", "-c", KILL_WHEN.format(condition=MOVED), "kill", PATH, timeout=300)
    host.reboot(power_cut=True, timeout=180)
    assert_as_before(old_app, before)
    host.run("autoupdatectl", "adopt", PATH, timeout=300)
    old_app.wait_up()
    assert_every_byte(host, before)


def account(host: Host, directory: str) -> dict[str, Any]:
    """Return the account of a directory, without what is written all the time."""
    found = json.loads(host.run("/usr/bin/python3", "-I", "-c", ACCOUNT, directory).stdout)
    return {path: entry for path, entry in found.items() if not path.startswith(BUSY)
            and "__pycache__" not in path}  # fmt: skip


def assert_every_byte(host: Host, before: dict[str, Any]) -> None:
    """Check that every file is in the old directory that was kept, or in the shared one."""
    kept = host.run("sh", "-c", f"echo {PATH}.before-autoupdate-*").stdout.split()
    assert len(kept) == 1
    old, shared = account(host, kept[0]), account(host, f"{HOME}/shared")
    assert len(before) > FILES
    for path, entry in before.items():
        place = shared if path.split("/")[0] in ("state", "logs") else old
        assert place.get(path) == entry, path
    assert not host.exists("/tmp/hooked")


def assert_as_before(app: DemoApp, before: dict[str, Any]) -> None:
    """Check that an adoption has left no trace, and that the services run."""
    app.wait_up(60)
    now = account(app.host, PATH)
    assert now == before, sorted(path for path in now | before
                                 if now.get(path) != before.get(path))[:10]  # fmt: skip
    assert CRON_LINE in app.host.read(CRONTAB).splitlines()
    assert not app.host.exists(f"{HOME}/relocation.json")
    assert app.status()["state"] == "unmanaged"
    kept = app.host.run("sh", "-c", f"ls -d {PATH}.before*", check=False).stdout
    assert kept == ""
