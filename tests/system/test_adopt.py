"""A checkout that was deployed by hand becomes a managed app, and is given back."""

from tools.lib.hosts.accounting import HOME, account, assert_as_before, assert_every_byte
from tools.lib.hosts.demo_app import SERVICES, USER, DemoApp
from tools.lib.hosts.old_deployment import CRON_LINE, CRONTAB, EDITED, PATH, many_files
from tools.lib.hosts.upstream import Upstream

RUN = "autoupdate@ipfs-accelerate.service"
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

    assert f"at commit {commit[:12]} (main), with 3 changed, 20 untracked" in done.stdout
    assert f"cron line of the old updater, to be disabled: {CRONTAB}:2" in done.stdout
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
