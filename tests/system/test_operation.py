"""What an operator sets up around updates, under systemd and in the sandbox of the units."""

import datetime

from tools.lib.hosts.demo_app import SERVICES, DemoApp
from tools.lib.hosts.host import Host
from tools.lib.hosts.receivers import WebServer
from tools.lib.hosts.upstream import Upstream

RUN = "autoupdate@ipfs-accelerate.service"
TIMER = "autoupdate-window-ipfs-accelerate.timer"
HOOKS = "/etc/autoupdate/hooks/ipfs-accelerate"
NOTES = "/var/lib/autoupdate/notes"
TEXTFILE = "/var/lib/prometheus/node-exporter"


def hook(host: Host, stage: str) -> None:
    """Let a stage have a hook that notes what it is told, and who it is."""
    path = f"{HOOKS}/{stage}/10-note"
    line = f'echo "$(id -un) $AUTOUPDATE_EVENT $AUTOUPDATE_RESULT" | tee -a {NOTES}'
    host.write(path, f"#!/bin/sh\n{line}\n")
    host.run("chmod", "0755", path)


def tomorrow() -> datetime.datetime:
    """Return the midnight in UTC that comes after the next one: nobody waits for that here."""
    now = datetime.datetime.now(datetime.UTC)
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + datetime.timedelta(days=2)


def test_window_hooks_notification_and_metrics(deployed_app: DemoApp, upstream: Upstream) -> None:
    host, opens = deployed_app.host, tomorrow()
    host.run("install", "-d", "-o", "nobody", TEXTFILE)
    for stage in ("pre-update.d", "post-update.d"):
        hook(host, stage)
    with WebServer() as receiver:
        told = f"""
            [notify]
            urls = ["json://127.0.0.1:{receiver.port}/secret-4711"]
            [metrics]
            textfile = "{TEXTFILE}"
        """
        closed = f'[windows]\nallowed = ["{opens:%a} 00:00-24:00 UTC"]\n'
        deployed_app.configure_more(told + closed)
        upstream.commit(version=2)

        host.systemctl("start", RUN, timeout=300)

        status = deployed_app.status()
        assert status["state"] == "deferred"
        assert f"opens at {opens:%Y-%m-%dT%H:%M:%SZ}" in status["last_run"]["reason"]
        planned = host.show(TIMER, "TimersCalendar", "RandomizedDelayUSec")
        assert f"OnCalendar={opens:%Y-%m-%d} 00:00:00 UTC" in planned["TimersCalendar"]
        assert planned["RandomizedDelayUSec"] == "10min"
        assert not host.run("test", "-e", NOTES, check=False).ok
        # Services start at once, on the release that is in place.
        deployed_app.forget_freshness()
        host.systemctl("restart", SERVICES[0], timeout=60)
        deployed_app.wait_up()
        assert deployed_app.health()["version"] == 1
        # The run that goes on beside that start still knows the windows as they were.
        host.wait_for(
            lambda: host.show(RUN, "ActiveState")["ActiveState"] == "inactive", 60, "its end"
        )
        assert (
            "autoupdate_staged"
            in host.run("cat", f"{TEXTFILE}/autoupdate-ipfs-accelerate.prom").stdout
        )

        fetches = len(upstream.server.fetches())
        deployed_app.configure_more(told)
        host.systemctl("start", RUN, timeout=300)

        deployed_app.wait_up()
        assert set(deployed_app.versions().values()) == {2}
        assert len(upstream.server.fetches()) == fetches, "it was built before"
        notes = host.run("cat", NOTES).stdout.splitlines()
        assert notes == ["root update ", "root update updated"]
        host.wait_for(lambda: receiver.received, 30, "the notification")
        assert receiver.events() == ["updated"]
        done = host.show("autoupdate-notify@ipfs-accelerate.service", "Result", "ActiveState")
        assert done["Result"] == "success"

    explained = host.run("journalctl", "-x", "-t", "autoupdate", "--no-pager").stdout
    assert "Subject: An update of ipfs-accelerate is deferred" in explained
    printed = host.run("journalctl", "-t", "autoupdate-build", "--no-pager").stdout
    assert "root update updated" in printed, "what hooks print"
    assert "secret-4711" not in explained


CLEAN = "autoupdate-clean@ipfs-accelerate.service"
LEFT = "20260101T000000Z-0123456789ab"


def test_old_releases_are_removed_by_a_unit_of_its_own(
    deployed_app: DemoApp, upstream: Upstream
) -> None:
    """Whoever owns what is in them; what cannot be removed is said once."""
    host = deployed_app.host
    home = "/var/lib/autoupdate/ipfs-accelerate"
    for owner in ("root", "accelerate"):
        place = f"{home}/releases/{LEFT}-{owner}/package"
        host.run("mkdir", "--parents", place)
        host.write(f"{place}/module.py", "")
        host.run("chown", "-R", f"{owner}:", place)
        host.run("chmod", "0500", place)
    mounted = f"{home}/releases/{LEFT}-mounted/data"
    host.run("mkdir", "--parents", mounted)
    host.run("mount", "--bind", "/srv", mounted)

    host.systemctl("start", RUN)

    assert host.run("ls", f"{home}/releases").stdout.split() == [
        deployed_app.status()["current"]["release"]
    ]
    host.wait_for(
        lambda: host.show(CLEAN, "ActiveState")["ActiveState"] == "inactive", 60, "its end"
    )
    done = host.show(CLEAN, "Result", "ExecMainStatus")
    assert done == {"Result": "success", "ExecMainStatus": "0"}
    assert host.run("ls", f"{home}/trash").stdout.split() == [f"{LEFT}-mounted"]
    said = host.run("journalctl", "-t", "autoupdate", "-o", "cat", "-u", CLEAN).stdout
    assert f"{LEFT}-mounted, which is no longer needed, could not be removed" in said
    place = f"{home}/trash/{LEFT}-mounted/data"
    assert f"type: umount -R {place}" in said
    host.run("umount", "-R", place)
    host.systemctl("start", RUN)
    host.wait_for(
        lambda: not host.run("test", "-e", f"{home}/trash", check=False).ok, 60, "its end"
    )
