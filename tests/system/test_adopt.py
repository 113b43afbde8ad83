"""A checkout that was deployed by hand becomes a managed app, and is given back."""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.demo_app import SERVICES, USER, DemoApp
from tests.hosts.host import Host
from tests.hosts.layers import Image
from tests.hosts.package import derived_image
from tests.hosts.upstream import Upstream

PATH = "/opt/ipfs_accelerate_py"
HOME = "/var/lib/autoupdate/ipfs-accelerate"
RUN = "autoupdate@ipfs-accelerate.service"
CRONTAB = f"/var/spool/cron/crontabs/{USER}"
CRON_LINE = f"0 */6 * * * {PATH}/scripts/auto-update.sh >> {PATH}/logs/auto-update-cron.log 2>&1"
OLD_SCRIPT = "#!/bin/sh\necho ran >>/opt/ipfs_accelerate_py/state/old-updates\n"
FILES = 5000
# What the services themselves write while they run, and what a compiler leaves.
BUSY = ("state/launcher.json", "state/starts", "state/old-updates", "logs/", "state/certificate",
        "state/key.pem")  # fmt: skip

ACCOUNT = """
import json, sys
from autoupdate.manifest import manifest
print(json.dumps(manifest(sys.argv[1])))
"""
# Starts an adoption, and kills it as soon as a condition of the shell holds.
KILL_WHEN = """
autoupdatectl adopt "$1" >/dev/null 2>&1 & adoption=$!
while ! {condition}; do [ -d "/proc/$adoption" ] || exit 1; done
kill -KILL "$adoption"
"""
MOVING = f"[ -e {HOME}/relocation.json ]"
MOVED = f"[ -L {PATH} ]"


def test_adoption(by_hand: DemoApp, upstream: Upstream) -> None:
    """Every byte is accounted for; the services go on, and the old system is at rest."""
    host, commit = by_hand.host, upstream.head()
    before = account(host, PATH)
    ran = host.read(f"{PATH}/state/old-updates").count("ran")
    written = host.read(f"{PATH}/logs/launcher.log")

    done = host.run("autoupdatectl", "adopt", PATH, timeout=300)

    assert f"at commit {commit} (main), with 3 changed, 20 untracked" in done.stdout
    assert f"cron line of the old update system, to be disabled: {CRONTAB}:2" in done.stdout
    assert f"{HOME}/repo.git stash list" in done.stdout
    by_hand.wait_up()
    assert by_hand.status()["state"] == "current"
    assert by_hand.status()["current"]["commit"] == commit
    assert_every_byte(host, before)
    assert host.read(f"{HOME}/shared/logs/launcher.log").startswith(written)
    assert f"\n# disabled by autoupdatectl adopt: {CRON_LINE}\n" in host.read(CRONTAB)
    assert host.run("stat", "-c", "%a %U", CRONTAB).stdout == f"600 {USER}\n"
    assert host.read(f"{PATH}/state/old-updates").count("ran") == ran
    stash = ("git", "-C", f"{HOME}/repo.git", "show", "--format=", "--name-only")
    tracked = host.run(*stash, "stash@{0}", user="_autoupdate").stdout.splitlines()
    assert {"README.md", "docs/index.md", "data/0001.txt"} <= set(tracked)
    assert len([path for path in tracked if path.startswith("mine/")]) == 20
    upstream.commit(version=2, files=many_files())
    host.run("autoupdatectl", "run", timeout=300)
    by_hand.wait_up()
    assert set(by_hand.versions().values()) == {2}


def test_adoption_killed(by_hand: DemoApp) -> None:
    """Whoever finds half an adoption undoes it: the confined unit, and a start at boot."""
    host = by_hand.host
    before = account(host, PATH)

    host.run("sh", "-c", KILL_WHEN.format(condition=MOVING), "kill", PATH, timeout=300)
    host.systemctl("start", RUN, check=False, timeout=300)

    assert_as_before(by_hand, before)
    host.systemctl("enable", *SERVICES)
    host.run("sh", "-c", KILL_WHEN.format(condition=MOVED), "kill", PATH, timeout=300)
    host.reboot(power_cut=True, timeout=180)
    assert_as_before(by_hand, before)
    host.run("autoupdatectl", "adopt", PATH, timeout=300)
    by_hand.wait_up()
    assert_every_byte(host, before)


@pytest.fixture
def by_hand(
    request: pytest.FixtureRequest, release: str, installed: Image, upstream: Upstream
) -> Iterator[DemoApp]:
    """The application as the old system deployed it: 5,000 files, local changes, a cron line."""
    upstream.commit(version=1, files=many_files())

    def prepare(host: Host) -> None:
        deploy_by_hand(DemoApp(host, PATH), upstream)

    key = f"{upstream.published()} {Path(__file__).read_text()}"
    image = derived_image(installed, f"by-hand-{release}", key, prepare)
    with Host(image) as host:
        request.node.stash.setdefault(hosts_of_test(), []).append(host)
        app = DemoApp(host, PATH)
        app.install_services()
        app.configure(upstream.url, shared=["state", "logs"])
        host.run("git", "-C", PATH, "remote", "set-url", "origin", upstream.url, user=USER)
        host.write(
            f"/etc/systemd/system/{SERVICES[0]}.d/10-old-update.conf",
            f"[Service]\nExecStartPre=/bin/sh {PATH}/scripts/auto-update.sh\n",
        )
        host.systemctl("daemon-reload")
        app.start()
        app.wait_up()
        yield app


def hosts_of_test() -> Any:
    """Return where the hosts of a test are kept, for the report of its failure."""
    from tests.system import conftest

    return conftest._HOSTS


def many_files() -> dict[str, str | None]:
    """Return the files of a large checkout."""
    files: dict[str, str | None] = {f"data/{number:04}.txt": f"{number}\n" * 20
                                    for number in range(FILES)}  # fmt: skip
    return files | {"scripts/auto-update.sh": OLD_SCRIPT}


def deploy_by_hand(app: DemoApp, upstream: Upstream) -> None:
    """Deploy as the old system did, then use it for a while."""
    host = app.host
    app.install_services()
    app.deploy_by_hand(upstream.url)
    script = f"""
        cd {PATH}
        for file in README.md docs/index.md data/0001.txt; do echo mine >>$file; done
        mkdir -m 700 mine state/jobs
        for number in $(seq 19); do head -c 1000 /dev/urandom >mine/$number; done
        ln -s /etc/hostname mine/link
        for number in $(seq 50); do head -c 5000 /dev/urandom >state/jobs/$number; done
        chmod 600 state/jobs/7; touch -d 2001-01-01 state/jobs/8; ln -s 7 state/jobs/newest
        echo 'echo never >/tmp/hooked' >.git/hooks/post-checkout; chmod +x .git/hooks/post-checkout
        git config core.fsmonitor 'touch /tmp/hooked; false'
    """
    host.run("sh", "-euc", textwrap.dedent(script), user=USER)
    host.write(CRONTAB, f"# of {USER}\n{CRON_LINE}\n@daily true\n", mode=0o600)
    host.run("chown", USER, CRONTAB)


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
