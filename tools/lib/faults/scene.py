"""A booted host with version 1 of the application, and its upstream."""

import contextlib
import json
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.lib.faults import driver
from tools.lib.faults.volume import Volume
from tools.lib.hosts.broken import Broken
from tools.lib.hosts.commands import CommandFailedError, Completed
from tools.lib.hosts.demo_app import SERVICES, USER, DemoApp
from tools.lib.hosts.git_server import GitServer
from tools.lib.hosts.host import Host
from tools.lib.hosts.package import deployed_image, installed_image
from tools.lib.hosts.upstream import REPOSITORY, Upstream

APP = "ipfs-accelerate"
HOME = f"/var/lib/autoupdate/{APP}"
RUN = f"autoupdate@{APP}.service"
CONFIRM = f"autoupdate-confirm@{APP}.service"
SOAK = "1s"
# Long enough for a build with new requirements on a busy machine.
PATIENCE = 300

_DROP_IN = "/run/systemd/system/autoupdate@.service.d/50-faults.conf"
_BY_DRIVER = f"""\
[Service]
ExecStart=
ExecStart={" ".join(driver.DRIVER)} run -- %i
ReadWritePaths={driver.DIRECTORY}
"""


class Scene:
    """Controls one host, its services and its upstream."""

    def __init__(self, host: Host, upstream: Upstream, volume: Volume | None) -> None:
        """Set the services up and start them."""
        self.host = host
        self.upstream = upstream
        self.server = upstream.server
        self.volume = volume
        self.app = DemoApp(host)
        self.versions = {upstream.head(): 1}
        self.trees = {upstream.head(): self._tree(upstream.head())}
        self.good = upstream.head()
        self._requirements = 0
        driver.place(host)
        self.app.install_services()
        self.app.configure(upstream.url, SOAK)
        self.app.start()
        self.app.wait_up()

    # Upstream

    def commit(self, broken: Broken | None = None, *, new_requirements: bool = False) -> str:
        """Publish the next version; with other requirements, everything is installed again."""
        version = max(self.versions.values()) + 1
        if new_requirements:
            self._requirements += 1
        # With one more empty line it is another set of requirements with the same packages.
        text = (REPOSITORY / "requirements.txt").read_text().splitlines()
        requirements = (*text, *[""] * self._requirements) if self._requirements else None
        commit = self.upstream.commit(version, broken=broken, seconds=2, requirements=requirements)
        self.versions[commit] = version
        self.trees[commit] = self._tree(commit)
        if broken is None:
            self.good = commit
        return commit

    def _tree(self, commit: str) -> dict[str, str]:
        """Return the blobs of a commit's files, by path."""
        lines = self.upstream.git("ls-tree", "-r", commit).splitlines()
        entries = [line.split(None, 3) for line in lines]
        return {path: blob for _, _, blob, path in entries}

    # The package

    def facts(self) -> dict[str, Any]:
        """Return the files and processes of the host, see inside/facts.py."""
        said = self.host.run("/usr/bin/python3", f"{driver.SCRIPTS}/facts.py", self.app.path).stdout
        facts: dict[str, Any] = json.loads(said)
        return facts

    def status(self) -> tuple[dict[str, Any], str]:
        """Return `status --json` of an unprivileged user, or the error if it fails."""
        done = self.host.run("autoupdatectl", "status", "--json", APP, user=USER, check=False)
        if not done.ok:
            return {}, f"status ends with {done.returncode}: {last_line(done)}"
        facts: dict[str, Any] = json.loads(done.stdout)
        return facts, ""

    def run(self, *options: str) -> Completed:
        """Run one update as an administrator does by hand."""
        return self.host.run("autoupdatectl", "run", *options, check=False, timeout=PATIENCE)

    def run_until_done(self, most_waits: int = 3) -> tuple[Completed, int]:
        """Run; if the run is deferred for some seconds, wait and run again."""
        for waits in range(most_waits + 1):
            done = self.run()
            left = re.search(r"tried again in (\d+) s", done.stdout)
            if left is None or waits == most_waits or int(left[1]) > 90:
                break
            time.sleep(int(left[1]) + 1)
        return done, waits

    # Plans

    def plan(self, **plan: object) -> None:
        """Make the driver do the next run, as planned."""
        driver.plan(self.host, **plan)
        if not self.host.exists(_DROP_IN):
            self.host.write(_DROP_IN, _BY_DRIVER)
            self.host.systemctl("daemon-reload")

    def unplan(self) -> None:
        """Use the unmodified command again."""
        driver.forget(self.host)
        self.host.run("rm", "--force", _DROP_IN)
        self.host.systemctl("daemon-reload")

    def go_on(self) -> None:
        """Let a run that waits at a step continue."""
        self.host.write(f"{driver.DIRECTORY}/go", "")

    def reached(self) -> str:
        """Return where the driver waits or died; empty if it did neither."""
        return driver.reached(self.host)

    # Units

    def kill_unit(self) -> bool:
        """Kill all processes of a run or a probation; return whether there was one."""
        words = ["systemctl", "kill", "--kill-whom=all", "--signal=KILL", "--"]
        done = [self.host.run(*words, unit, check=False) for unit in (RUN, CONFIRM)]
        return any(answer.ok for answer in done)

    def unit_ended(self) -> bool:
        """Tell whether neither a run nor a probation is under way."""
        return unit_ended(self.host)

    def wait_ended(self, timeout: float = PATIENCE) -> None:
        """Wait until neither a run nor a probation is under way."""
        self.host.wait_for(self.unit_ended, timeout, "the run ends")

    def processes(self) -> dict[str, str]:
        """Return the main processes of the services."""
        return {name: self.host.show(name, "MainPID")["MainPID"] for name in SERVICES}

    def told(self) -> str:
        """Return the last lines of the package in the journal."""
        words = ("journalctl", "--identifier=autoupdate", "--lines=1", "--output=cat", "--quiet")
        return self.host.run(*words).stdout.strip()

    def serving(self) -> int:
        """Return the version that all three services run; 0 if one does not run or they differ."""
        with contextlib.suppress(OSError, KeyError, CommandFailedError):
            versions = set(self.app.versions().values())
            if len(versions) == 1:
                return versions.pop()
        return 0


def unit_ended(host: Host) -> bool:
    """Tell whether neither a run nor a probation is under way on a host."""
    words = ("systemctl", "show", "--property=ActiveState", "--value", RUN, CONFIRM)
    states = host.run(*words).stdout.split()
    return not {"activating", "active", "deactivating", "reloading"} & set(states)


def last_line(done: Completed) -> str:
    """Return the last line that a command printed, to stderr if there is one."""
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1][:400] if lines else "nothing"


@contextlib.contextmanager
def opened(release: str, deb: Path, *, volume: type[Volume] | None = None) -> Iterator[Scene]:
    """Boot a host for a scene, optionally with the package's state on a small file system."""
    with tempfile.TemporaryDirectory(prefix="autoupdate-faults-") as name:
        directory = Path(name)
        (directory / "repositories").mkdir()
        with GitServer(directory / "repositories") as server, contextlib.ExitStack() as stack:
            upstream = Upstream(directory / "upstream", server)
            image = deployed_image(release, installed_image(release, deb), upstream)
            host = Host(image)
            stack.callback(host.close)
            small = volume(host, directory / "volume.ext4") if volume else None
            if small:
                # Before the directory is removed: the server of the disk must not use it any more.
                stack.callback(small.end)
            stack.enter_context(host)
            yield Scene(host, upstream, small)
