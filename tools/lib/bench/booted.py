"""What needs a service manager: the gate before a start, and the downtime of a service."""

import statistics
from pathlib import Path

from tools.lib.bench.report import Findings, duration
from tools.lib.bench.timing import Times, once
from tools.lib.hosts.demo_app import SERVICES, DemoApp
from tools.lib.hosts.git_server import GitServer
from tools.lib.hosts.host import Host
from tools.lib.hosts.machine import what_is_missing
from tools.lib.hosts.package import built_deb, deployed_image, installed_image
from tools.lib.hosts.tree import RELEASES
from tools.lib.hosts.upstream import Upstream

# What the rows of each release begin with.
LABELS = {"bookworm": "Debian 12", "trixie": "Debian 13"}
PLAIN, GATED = "plain.service", "gated.service"
UNIT = "[Service]\nType=oneshot\nExecStart=/bin/true\n"
GATE = "ExecStartPre=+/usr/lib/autoupdate/pre-start ipfs-accelerate\n"
# Of an app that was never deployed: all lines of the package's drop-in that start a program.
NOT_OURS = """ExecCondition=-+/usr/lib/autoupdate/pre-start other --if-python-changed
ExecStartPre=+/usr/lib/autoupdate/pre-start other
"""
CHECKOUT, SCRATCH = "/home/accelerate/other", "/var/scratch"
AT_HOME, AWAY = "at-home.service", "away.service"


def measure(directory: Path, findings: Findings) -> None:
    """Boot each Debian with the package, deploy the demo application there, and measure."""
    if missing := what_is_missing():
        findings.note(f"Left out, because {missing}: the gate, the downtime, starts at once.")
        return
    for release in RELEASES:
        place = directory / f"of-{release}"
        place.mkdir()
        measure_on(release, place, Labelled(findings, LABELS[release]))


class Labelled:
    """Adds findings of one release of Debian to those of all."""

    def __init__(self, findings: Findings, label: str) -> None:
        self.findings = findings
        self.label = label

    def at_most(self, work: str, goal: str, value: float, limit: float, measured: str) -> None:
        """Add a goal that is met if the value is at most `limit`."""
        self.findings.at_most(f"{self.label}: {work}", goal, value, limit, measured)

    def compare(self, group: str, times: dict[str, Times]) -> None:
        """Add a group of bars to the plot and to the list of medians."""
        self.findings.compare(f"{self.label}: {group}", times)


def measure_on(release: str, directory: Path, findings: Labelled) -> None:
    """Measure on one release of Debian."""
    served = directory / "served-to-host"
    served.mkdir()
    with GitServer(served) as server:
        upstream = Upstream(directory / "upstream", server)
        installed = installed_image(release, built_deb(), print)
        with Host(deployed_image(release, installed, upstream)) as host:
            app = DemoApp(host)
            app.install_services()
            app.configure(upstream.url, soak="0s")
            app.start()
            app.wait_up()
            gate(app, upstream, findings)
            starts_at_once(app, upstream, findings)
            downtime(app, upstream, findings)


def gate(app: DemoApp, upstream: Upstream, findings: Labelled) -> None:
    """Measure how much longer a unit takes to start with the gate."""
    host = app.host
    host.write(f"/etc/systemd/system/{PLAIN}", UNIT)
    host.write(f"/etc/systemd/system/{GATED}", UNIT + GATE)
    host.run("mkdir", "--parents", f"{CHECKOUT}/.git", SCRATCH)
    for name, place, more in (
        (AT_HOME, CHECKOUT, NOT_OURS), (AWAY, SCRATCH, NOT_OURS),
    ):  # fmt: skip
        host.write(f"/etc/systemd/system/{name}", f"{UNIT}WorkingDirectory={place}\n{more}")
    host.systemctl("daemon-reload")
    # Once by a usual run, which writes the facts for the fast path.
    host.run("autoupdatectl", "run", "ipfs-accelerate")
    seconds: dict[str, list[float]] = {}

    def take(name: str, *words: str) -> None:
        seconds.setdefault(name, []).append(once(lambda: host.run(*words)))

    for _ in range(20):
        take("true", "true")
        take("git ls-remote", "git", "ls-remote", "--", upstream.url, "refs/heads/main")
        take("without gate", "systemctl", "start", PLAIN)
        app.forget_freshness()
        take("gate that asks upstream", "systemctl", "start", GATED)
        take("gate, check is fresh", "systemctl", "start", GATED)
        take("gate of a checkout that is not managed", "systemctl", "start", AT_HOME)
        take("gate of another directory that is not managed", "systemctl", "start", AWAY)
    findings.compare("systemctl start", {
        name: Times(tuple(values)) for name, values in seconds.items() if name != "true"
    })  # fmt: skip
    median = {name: statistics.median(values) for name, values in seconds.items()}
    fresh = median["gate, check is fresh"] - median["without gate"]
    findings.at_most(
        "pre-start gate, check is fresh", "≤ 15 ms added to `systemctl start`", fresh, 0.015,
        duration(fresh),
    )  # fmt: skip
    for name in ("a checkout", "another directory"):
        added = median[f"gate of {name} that is not managed"] - median["without gate"]
        findings.at_most(
            f"pre-start gate, {name} that is not managed", "≤ 50 ms added to `systemctl start`",
            added, 0.050, duration(added),
        )  # fmt: skip
    asking = median["gate that asks upstream"] - median["without gate"]
    ratio = asking / (median["git ls-remote"] - median["true"])
    findings.at_most(
        "the same, not fresh and nothing new", "≤ 3 × `git ls-remote`", ratio, 3,
        f"{ratio:.2f} × ({duration(asking)})",
    )  # fmt: skip


def starts_at_once(app: DemoApp, upstream: Upstream, findings: Labelled) -> None:
    """Check that three services that start together ask upstream once."""
    app.host.systemctl("stop", *SERVICES)
    app.forget_freshness()
    upstream.server.forget()
    app.start()
    app.wait_up()
    looks = len(upstream.server.checks())
    findings.at_most(
        "three services starting at once", "one request upstream", looks, 1, f"{looks}"
    )


def downtime(app: DemoApp, upstream: Upstream, findings: Labelled) -> None:
    """Measure how long a service is down when it is restarted and updated, as systemd records it.

    An update restarts all services at once, and they compete for the processors.
    """
    all_, one = "`systemctl restart` of the three services", "`systemctl restart` of it alone"
    ours = "autoupdatectl run"
    seconds: dict[str, list[float]] = {one: [], all_: [], ours: []}
    for number in range(9):
        app.host.systemctl("restart", SERVICES[0])
        seconds[one].append(down(app))
        app.wait_up()
        app.host.systemctl("restart", *SERVICES)
        seconds[all_].append(down(app))
        app.wait_up()
        upstream.commit(version=10 + number)
        app.host.run("autoupdatectl", "run", "ipfs-accelerate", timeout=300)
        seconds[ours].append(down(app))
        app.wait_up()
    findings.compare("downtime", {name: Times(tuple(each)) for name, each in seconds.items()})
    median = {name: statistics.median(values) for name, values in seconds.items()}
    for work, rival in (("downtime of a service by an update", all_), ("the same", one)):
        ratio = median[ours] / median[rival]
        findings.at_most(
            work, f"≤ 1.1 × {rival}", ratio, 1.1, f"{ratio:.2f} × ({duration(median[ours])})"
        )


def down(app: DemoApp) -> float:
    """Return the seconds between the end of a service and its next start (systemctl(1))."""
    stamps = app.host.show(
        SERVICES[0], "ActiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic"
    )
    left, entered = (int(stamps[name]) for name in
                     ("ActiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic"))  # fmt: skip
    return (entered - left) / 1e6
