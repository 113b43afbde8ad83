"""Adoptions are killed at random instants; each on a host of its own, deployed by hand before."""

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.kills import Kill
from tests.hosts import commands, old_deployment
from tests.hosts.accounting import account, assert_as_before, assert_every_byte
from tests.hosts.commands import CommandFailedError
from tests.hosts.demo_app import SERVICES, DemoApp
from tests.hosts.git_server import GitServer
from tests.hosts.host import Host, HostError
from tests.hosts.old_deployment import PATH
from tests.hosts.package import installed_image, old_image
from tests.hosts.upstream import Upstream

ADOPTION = "adoption"
RUN = "autoupdate@ipfs-accelerate.service"
# What finds half an adoption: the next run, the start of a service, or the next boot.
FINDERS = ("run", "service start", "boot")


def adoptions(release: str, deb: Path, count: int, seed: int) -> Iterator[Kill]:
    """Kill so many adoptions at random instants of the time that one takes."""
    chance = random.Random(f"{seed} {release} {ADOPTION}")
    installed = installed_image(release, deb)
    duration = 0.0
    with tempfile.TemporaryDirectory(prefix="autoupdate-faults-") as name:
        directory = Path(name)
        (directory / "repositories").mkdir()
        with GitServer(directory / "repositories") as server:
            upstream = Upstream(directory / "upstream", server)
            upstream.commit(version=1, files=old_deployment.many_files())
            image = old_image(release, installed, upstream)
            for number in range(count + 1):
                with Host(image) as host:
                    app = old_deployment.start(host, upstream)
                    if number:
                        finder = FINDERS[number % len(FINDERS)]
                        yield killed(app, release, chance.uniform(0, duration), finder)
                    else:
                        duration = timed(app)


def timed(app: DemoApp) -> float:
    """Return how long an adoption takes that is left alone."""
    began = time.monotonic()
    app.host.run("autoupdatectl", "adopt", PATH, timeout=300)
    return time.monotonic() - began


def killed(app: DemoApp, release: str, instant: float, finder: str) -> Kill:
    """Kill one adoption, let somebody find what it left, and account for every byte."""
    host = app.host
    before = account(host, PATH)
    began = time.monotonic()
    process = host.popen("autoupdatectl", "adopt", PATH)
    time.sleep(instant)
    hit = process.poll() is None
    commands.kill_group(process.pid)
    process.communicate()
    kill = Kill(release, ADOPTION, finder, f"{instant:.3f} s after the order", hit)
    try:
        found(host, finder)
        app.wait_up(60)
        if app.status()["state"] == "unmanaged":
            assert_as_before(app, before)
            host.run("autoupdatectl", "adopt", PATH, timeout=300)
            app.wait_up(60)
        assert app.status()["state"] == "current", app.status()
        assert_every_byte(host, before)
    except (AssertionError, CommandFailedError, HostError) as error:
        kill.wrong.append(str(error)[:1500])
    kill.seconds = time.monotonic() - began
    return kill


def found(host: Host, finder: str) -> None:
    """Have somebody come across what a dead adoption left."""
    if finder == "boot":
        host.systemctl("enable", *SERVICES)
        host.reboot(power_cut=True, timeout=180)
    elif finder == "service start":
        host.systemctl("restart", SERVICES[0], timeout=300)
    else:
        # Where nothing was changed yet, it says that a directory lies in its way.
        host.systemctl("start", RUN, check=False, timeout=300)
