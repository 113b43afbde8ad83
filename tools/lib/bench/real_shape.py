"""Measures updates of an app with the tree and the number of packages of the real one."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tools.lib.bench import rivals
from tools.lib.bench.report import Findings, duration, mebibytes
from tools.lib.bench.site import Bench
from tools.lib.bench.timing import Times, interleaved, once
from tools.lib.bench.updates import OURS, current, disk_usage
from tools.lib.bench.wheels import FAMILY, make_wheel
from tools.lib.hosts.real_tree import RealTree

APP = "real"
# 154 packages with 40,000 files and 1.6 GB, as in the environment of the real application.
PACKAGES, MODULES, MEBIBYTES = 154, 258, 8
GIT = "git: ls-remote, fetch, worktree add, link"
ROUNDS = 5
# How often the link is looked at, in seconds.
STEP = 0.002


class Update(NamedTuple):
    """Seconds from the order to the switch of the link, and to the end of the command."""

    switched: float
    ended: float


def measure(bench: Bench, findings: Findings) -> None:
    """Measure the first deployment, and changes of one line and of one requirement."""
    shape = RealShape(bench)
    home = Path(bench.app(APP).home)
    updates: list[Update] = []
    sizes: list[int] = []

    def update() -> None:
        before = disk_usage(home)
        updates.append(shape.update())
        sizes.append(disk_usage(home) - before)

    # Of ours, only what is recorded counts: `update` measures the disk, too.
    git = interleaved({GIT: shape.git.update, OURS: update}, ROUNDS, shape.change_line)[GIT]
    switched = Times(tuple(item.switched for item in updates))
    ended = Times(tuple(item.ended for item in updates))
    group = "real shape, one line changed"
    findings.compare(group, {
        GIT: git, "until the link is switched": switched, "until the prompt": ended,
    })  # fmt: skip
    findings.at_most(
        f"{group}, until the link is switched", "≤ 3 s", switched.median, 3,
        duration(switched.median),
    )  # fmt: skip
    ratio = switched.median / git.median
    findings.at_most("the same", "≤ 1.5 × plain Git", ratio, 1.5, f"{ratio:.2f} ×")
    size = disk_usage(Path(bench.app(APP).release(current(bench, APP))))
    # The first one only: later ones throw a release away.
    findings.at_most(
        "the same, more on disk", "≤ the tree once, without reflinks", sizes[0], size,
        f"{mebibytes(sizes[0])} of {mebibytes(size)}",
    )  # fmt: skip
    shape.change_requirement()
    taken = shape.update()
    findings.note(
        f"Real shape: first deployment {duration(shape.first)}; one requirement changed"
        f" {duration(taken.switched)} until the link is switched."
    )


class RealShape:
    """The upstream, deployed by us and by plain Git."""

    def __init__(self, bench: Bench) -> None:
        """Make 154 packages and the tree, and deploy them."""
        self.bench = bench
        self.versions = {f"real-{number:03d}": "1.0" for number in range(PACKAGES)}
        for name, version in self.versions.items():
            self.make(name, version)
        self.tree = RealTree(
            bench.directory / "real", bench.server, self.lines(),
            {"index.txt": f"--index-url {bench.index.url}\n"},
        )  # fmt: skip
        self.commits = 0
        bench.configure(
            APP, self.tree.url, build__requirements=bench.manifests, upstream__timeout="5min"
        )
        self.first = once(lambda: bench.updates(APP))
        self.git = rivals.PlainGit(bench.directory / "plain-real", self.tree.url)

    def make(self, name: str, version: str) -> None:
        """Make one package."""
        place = name.replace("-", "_")
        make_wheel(self.bench.wheels, place, version, modules=MODULES, mebibytes=MEBIBYTES)

    def lines(self) -> list[str]:
        """Return the requirements."""
        return [f"{FAMILY}-{name}=={version}" for name, version in self.versions.items()]

    def change_line(self) -> None:
        """Publish a commit that changes one line."""
        self.commits += 1
        self.tree.commit("one line", {"app/version.py": f"VERSION = {self.commits}\n"})

    def change_requirement(self) -> None:
        """Publish a commit that needs another version of one requirement."""
        self.commits += 1
        name = next(iter(self.versions))
        self.versions[name] = f"1.{self.commits}"
        self.make(name, self.versions[name])
        self.tree.requirements = self.lines()
        self.tree.commit("one requirement", {})

    def update(self) -> Update:
        """Update; return the times."""
        link = self.bench.app(APP).current
        return watch(link, lambda: self.bench.updates(APP))


def watch(link: str, work: Callable[[], object]) -> Update:
    """Do some work that switches a link; return the times."""
    before, seen, over = os.readlink(link), list[float](), threading.Event()

    def look() -> None:
        while not over.is_set():
            if os.readlink(link) != before:
                seen.append(time.perf_counter())
                return
            time.sleep(STEP)

    watcher = threading.Thread(target=look)
    begun = time.perf_counter()
    watcher.start()
    try:
        work()
        ended = time.perf_counter()
    finally:
        over.set()
        watcher.join()
    return Update(seen[0] - begun, ended - begun)
