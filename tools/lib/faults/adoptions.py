"""Kills adoptions, each on a new host where the application was deployed by hand."""

import contextlib
import itertools
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.lib.faults.driver import DRIVER, place, plan, reached
from tools.lib.faults.kills import Kill
from tools.lib.faults.scene import RUN, unit_ended
from tools.lib.hosts import commands, old_deployment
from tools.lib.hosts.accounting import account, assert_as_before, assert_every_byte
from tools.lib.hosts.commands import CommandFailedError
from tools.lib.hosts.demo_app import SERVICES, DemoApp
from tools.lib.hosts.git_server import GitServer
from tools.lib.hosts.host import Host, HostError
from tools.lib.hosts.layers import Image
from tools.lib.hosts.old_deployment import PATH
from tools.lib.hosts.package import installed_image, old_image
from tools.lib.hosts.tree import RELEASES
from tools.lib.hosts.upstream import Upstream

ADOPTION = "adoption"
# What finds an interrupted adoption: the next run, the start of a service, or the next boot.
FINDERS = ("run", "service start", "boot")


def adoptions(release: str, deb: Path, count: int, seed: int) -> Iterator[Kill]:
    """Kill adoptions at every write, and a number of them at random instants.

    On one release of Debian they die before the writes, and on the other after the writes.
    """
    chance = random.Random(f"{seed} {release} {ADOPTION}")
    when = "before" if release == RELEASES[0] else "after"
    with tempfile.TemporaryDirectory(prefix="autoupdate-faults-") as name:
        directory = Path(name)
        (directory / "repositories").mkdir()
        with GitServer(directory / "repositories") as server:
            upstream = Upstream(directory / "upstream", server)
            upstream.commit(version=1, files=old_deployment.many_files())
            image = old_image(release, installed_image(release, deb), upstream)
            with deployed(image, upstream) as app:
                duration = timed(app)
            for number in range(count):
                with deployed(image, upstream) as app:
                    instant = chance.uniform(0, duration)
                    yield killed_at_instant(app, release, instant, finder(number))
            for number in itertools.count(1):
                with deployed(image, upstream) as app:
                    kill = killed_at_write(app, release, number, when, finder(number))
                yield kill
                if not kill.killed:
                    return


@contextlib.contextmanager
def deployed(image: Image, upstream: Upstream) -> Iterator[DemoApp]:
    """Boot a host with the application deployed by hand, and its services running."""
    with Host(image) as host:
        yield old_deployment.start(host, upstream)


def finder(number: int) -> str:
    """Return what finds the interrupted adoption, each in turn."""
    return FINDERS[number % len(FINDERS)]


def timed(app: DemoApp) -> float:
    """Return how long an adoption takes that is not killed."""
    began = time.monotonic()
    app.host.run("autoupdatectl", "adopt", PATH, timeout=300)
    return time.monotonic() - began


def killed_at_instant(app: DemoApp, release: str, instant: float, finder: str) -> Kill:
    """Kill one adoption this number of seconds after it was started."""
    before = account(app.host, PATH)
    began = time.monotonic()
    process = app.host.popen("autoupdatectl", "adopt", PATH)
    time.sleep(instant)
    hit = process.poll() is None
    commands.kill_group(process.pid)
    process.communicate()
    kill = Kill(release, ADOPTION, finder, f"{instant:.3f} s after the order", hit)
    return examined(app, kill, before, began)


def killed_at_write(app: DemoApp, release: str, number: int, when: str, finder: str) -> Kill:
    """Make one adoption die before or after a write to the journals, or one of its changes."""
    host = app.host
    place(host)
    plan(host, write=number, when=when, how="group")
    before = account(host, PATH)
    began = time.monotonic()
    process = host.popen(*DRIVER, "adopt", PATH)
    process.communicate(timeout=300)
    point = reached(host)
    kill = Kill(release, ADOPTION, finder, point or "not reached", bool(point))
    return examined(app, kill, before, began)


def examined(app: DemoApp, kill: Kill, before: dict[str, Any], began: float) -> Kill:
    """Let the finder find the interrupted adoption, and check every byte."""
    try:
        found(app.host, kill.way)
        app.wait_up(60)
        if app.status()["state"] == "unmanaged":
            assert_as_before(app, before)
            app.host.run("autoupdatectl", "adopt", PATH, timeout=300)
            app.wait_up(60)
        assert app.status()["state"] == "current", app.status()
        assert_every_byte(app.host, before)
    except (AssertionError, CommandFailedError, HostError) as error:
        kill.wrong.append(str(error)[:1500])
    kill.seconds = time.monotonic() - began
    return kill


def found(host: Host, finder: str) -> None:
    """Let the finder find the interrupted adoption."""
    if finder == "boot":
        host.systemctl("enable", *SERVICES)
        host.reboot(power_cut=True, timeout=180)
    elif finder == "service start":
        host.systemctl("restart", SERVICES[0], timeout=300)
        # The service may start while the run that its gate has started still watches it.
        host.wait_for(lambda: unit_ended(host), 300, "the run ends")
    else:
        # If nothing was changed yet, the run refuses, because the directory is not managed.
        host.systemctl("start", RUN, check=False, timeout=300)
