"""Outages: one server that updates need does not work, and a service is restarted meanwhile."""

import time
from collections.abc import Iterator
from pathlib import Path

from tools.lib.faults.cells import Cell
from tools.lib.faults.scene import Scene, opened
from tools.lib.hosts.commands import CommandFailedError
from tools.lib.hosts.demo_app import SERVICES
from tools.lib.hosts.host import HostError
from tools.lib.hosts.misbehaving import Trouble
from tools.lib.hosts.outage import DEPENDENCY, INDEX, UPSTREAM, Outage
from tools.lib.hosts.tree import RELEASES

FAULT = "outage"
TROUBLES = (
    Trouble.REFUSED, Trouble.NO_NAME, Trouble.HANG, Trouble.UNAUTHORIZED, Trouble.FORBIDDEN,
    Trouble.PROXY_LOGIN, Trouble.TOO_MANY, Trouble.UNAVAILABLE, Trouble.PORTAL,
    Trouble.WRONG_HOST, Trouble.TRUNCATED,
)  # fmt: skip
TOGETHER = 4
# In seconds: how soon services that were kept down must be up after the outage.
SOON = 60


def outages(release: str, deb: Path, chosen: str = "", *, in_turn: bool = False) -> Iterator[Cell]:
    """Cause each outage with each installer and policy, all on one host.

    `in_turn`: each on one of the releases, in turn, as the release hardly matters here.
    """
    wanted = [
        (what, trouble, installer, policy)
        for what in (INDEX, DEPENDENCY, UPSTREAM)
        for trouble in TROUBLES
        for installer in (("pip", "uv") if what != UPSTREAM else ("uv",))
        for policy in ("block", "start")
        if chosen in f"{what}, {trouble.value}, {installer}, {policy}"
    ]
    if in_turn:
        # Both installers and both policies of one trouble come together.
        place = RELEASES.index(release)
        wanted = [cell for number, cell in enumerate(wanted)
                  if number // TOGETHER % len(RELEASES) == place]  # fmt: skip
    with opened(release, deb) as scene:
        for what, trouble, installer, policy in wanted:
            made = Cell(release, FAULT, f"{what}, {trouble.value}, {installer}, {policy}")
            began = time.monotonic()
            outage = Outage(scene.app, scene.upstream, what, trouble)
            try:
                suffer(scene, outage, installer, policy, made)
            except (AssertionError, CommandFailedError, HostError) as error:
                made.wrong.append(f"given up: {str(error)[:1500]}")
            finally:
                outage.close()
            made.seconds = time.monotonic() - began
            yield made


def suffer(scene: Scene, outage: Outage, installer: str, policy: str, made: Cell) -> None:
    """Restart a service in an outage, end that, and wait until the service is up."""
    before = scene.serving()
    version = max(scene.versions.values()) + 1
    # What the version before needed is not needed twice.
    scene.versions[outage.begin(version, installer, f'if_update_fails = "{policy}"\n')] = version
    scene.app.forget_freshness()
    done = scene.host.systemctl("restart", SERVICES[0], check=False, timeout=600)
    if done.ok != (policy == "start"):
        made.wrong.append(f"the restart ends with {done.returncode}: {scene.told()}")
    status, _ = scene.status()
    trouble = status["network_trouble"] or {"server": "none", "reason": ""}
    if status["quarantine"]:
        made.wrong.append(f"in quarantine: {status['quarantine']}")
    if trouble["server"].split(":")[0] != outage.bad.host.split(":")[0]:
        made.wrong.append(f"status names server {trouble['server']}, not {outage.bad.host}")
    if policy == "start":
        scene.app.wait_up(60)
        if scene.serving() != before:
            made.wrong.append("the service does not run the last good release")
    began = time.monotonic()
    good = outage.end(version + 1)
    scene.good = good
    scene.versions.setdefault(good, version + 1)
    scene.trees[good] = {}
    if policy == "start":
        scene.run_until_done()
        scene.app.wait_up(60)
        waited = "deployed by the next run"
    else:
        scene.app.wait_up(150)
        seconds = time.monotonic() - began
        waited = f"up {seconds:.0f} s after the outage"
        if seconds > SOON:
            made.wrong.append(waited)
    scene.wait_ended()
    status, _ = scene.status()
    if (status["current"]["commit"], status["network_trouble"]) != (good, None):
        made.wrong.append(f"in the end: {status}")
    made.happened = f"{waited}; {trouble['reason']}"
