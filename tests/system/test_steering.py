"""An administrator's day on a booted Debian: hold, plan, pin, look, and ask what is wrong."""

import json
from typing import Any

from tools.lib.hosts.demo_app import SERVICES, DemoApp
from tools.lib.hosts.upstream import Upstream

RUN = "autoupdate@ipfs-accelerate.service"
TIMER = "autoupdate.timer"


def told(app: DemoApp, *words: str, user: str | None = None) -> Any:
    """Return what a verb prints as JSON, whatever its exit code is."""
    command = ("autoupdatectl", *words, "--json")
    return json.loads(app.host.run(*command, user=user, check=False).stdout)


def test_hold_plan_pin_and_doctor(deployed_app: DemoApp, upstream: Upstream) -> None:
    host, first = deployed_app.host, upstream.published()
    second = upstream.commit(version=2, requirements=("blinker", "itsdangerous", "six"))

    assert told(deployed_app, "hold", "--until", "2d", "--reason", "trade fair")["hold"]["until"]
    host.systemctl("restart", SERVICES[0], timeout=300)
    deployed_app.wait_up()
    host.systemctl("start", RUN, timeout=300)
    assert told(deployed_app, "status")["state"] == "held"
    assert set(deployed_app.versions().values()) == {1}, "services start on what is there"
    assert told(deployed_app, "plan")["would"] == "defer"
    assert told(deployed_app, "unhold")["hold"] is None

    plan = told(deployed_app, "plan")
    assert (plan["would"], plan["deployed"], plan["commit"]) == ("update", first, second)
    assert plan["services"] == list(SERVICES)
    assert "six" in plan["environment"]["added"]
    host.systemctl("start", RUN, timeout=300)
    assert told(deployed_app, "status")["current"]["commit"] == second

    shown = told(deployed_app, "show", "current")
    assert "six" in shown["packages"]["added"]
    assert [entry["commit"] for entry in shown["changes"]["log"]] == [second]
    assert told(deployed_app, "show", "current", user="nobody")["needs_root"]

    assert told(deployed_app, "pin", first[:9])["pin"]["commit"] == first
    assert told(deployed_app, "plan")["commit"] == first
    host.systemctl("start", RUN, timeout=300)
    assert set(deployed_app.versions().values()) == {1}
    assert told(deployed_app, "status")["state"] == "pinned"
    assert told(deployed_app, "unpin")["pin"] is None

    found = {item["about"]: item["mend"] for item in told(deployed_app, "doctor")["findings"]}
    # Whether the clock of a test's host is synchronised is that of the machine's.
    assert {name for name in found if name not in ("settings", "clock")} == {TIMER}, found
    host.run(*found[TIMER].split())
    host.run("mkdir", "--parents", "/etc/systemd/system/other.service.d")
    host.write("/etc/systemd/system/other.service", "[Service]\nExecStart=true\n")
    old = f"sh {deployed_app.path}/scripts/auto-update.sh"
    host.write("/etc/systemd/system/other.service.d/old.conf", f"[Service]\nExecStartPre={old}\n")
    host.write("/etc/cron.d/old", f"# daily\n@daily root {old}\n")
    for service, setting in ((SERVICES[0], "ExecStartPre"), (SERVICES[1], "ReadWritePaths")):
        host.write(f"/etc/systemd/system/{service}.d/90-none.conf", f"[Service]\n{setting}=\n")
    host.systemctl("daemon-reload")
    found = {item["about"]: item["mend"] for item in told(deployed_app, "doctor")["findings"]}
    assert len(found.keys() - {"settings", "clock"}) == 4, found
    for name in found.keys() - {"settings", "clock"}:
        host.run("sh", "-ec", found[name])
    found = {item["about"]: item["mend"] for item in told(deployed_app, "doctor")["findings"]}
    assert not found.keys() - {"settings", "clock"}, found
