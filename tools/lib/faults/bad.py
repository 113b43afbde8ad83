"""Bad commits: where each one fails, with which reason, and how long the service is away."""

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from tools.lib.faults.cells import Cell
from tools.lib.faults.look import incomplete, traces
from tools.lib.faults.scene import RUN, Scene, opened
from tools.lib.faults.volume import Volume
from tools.lib.hosts.broken import Broken
from tools.lib.hosts.commands import CommandFailedError
from tools.lib.hosts.demo_app import DemoApp
from tools.lib.hosts.host import HostError

FAULT = "bad commit"
KINDS = tuple(Broken)
REHEARSED = ", rehearsed"
# Otherwise these would take half an hour.
ENDLESS = (Broken.BUILD_HANGS, Broken.BUILD_FORKS)


class Prober:
    """Asks the HTTP service for its version again and again; sums up the time without a good one.

    Versions from a given number on are good.
    """

    def __init__(self, app: DemoApp, good: int) -> None:
        self.app = app
        self.good = good
        self.away = 0.0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Self:
        """Start asking."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop asking."""
        self._ends.set()
        self._thread.join()

    def _ask(self) -> None:
        last = time.monotonic()
        while not self._ends.is_set():
            try:
                well = self.app.get("serve", "/health", timeout=2)["version"] == self.good
            except (OSError, KeyError, ValueError):
                well = False
            now = time.monotonic()
            if not well:
                self.away += now - last
            last = now
            time.sleep(0.01)


def bad_commits(release: str, deb: Path) -> Iterator[Cell]:
    """Deploy each bad commit, without and with a rehearsal of the services, each on a new host."""
    for broken, rehearsed in itertools.product(KINDS, (False, True)):
        made = Cell(release, FAULT, broken.value + (REHEARSED if rehearsed else ""))
        began = time.monotonic()
        # A small file system, so that it is full soon.
        with opened(release, deb, volume=Volume) as scene:
            try:
                bring_in(scene, broken, made, rehearsed=rehearsed)
            except (AssertionError, CommandFailedError, HostError) as error:
                made.wrong.append(f"given up: {str(error)[:1500]}")
        made.seconds = time.monotonic() - began
        yield made


def bring_in(scene: Scene, broken: Broken, made: Cell, *, rehearsed: bool) -> None:
    """Run with one bad commit upstream, and check the result."""
    scene.app.watch_strictly("20s" if broken in ENDLESS else "5min")
    if rehearsed:
        scene.app.rehearse("6s")
    good, bad = scene.good, scene.commit(broken)
    with Prober(scene.app, scene.versions[good]) as prober:
        scene.host.systemctl("start", RUN, check=False, timeout=300)
        scene.wait_ended()
        scene.app.wait_up(60)
    facts, status = scene.facts(), scene.status()[0]
    reasons = {row[0]: row[1] for row in facts["quarantine"]}
    taken = scene.host.run("autoupdatectl", "history", "--limit=1").stdout.splitlines()
    failed_in = status["last_run"]["reason"].partition("failed in step ")[2].partition(":")[0]
    step = failed_in or "probation"
    if rehearsed and prober.away:
        made.wrong.append(f"the service was away for {prober.away:.2f} s")
    made.happened = f"{step}; {prober.away:.2f} s; {reasons.get(bad, 'not in quarantine')}"
    if status["current"]["commit"] != good or scene.serving() != scene.versions[good]:
        made.wrong.append(f"the good release is not back: {status}")
    if bad not in reasons:
        made.wrong.append(f"the commit is not in quarantine: {taken}")
    logged = scene.host.read("/var/log/autoupdate/auto-update.log")
    if bad[:12] not in logged or status["last_run"]["reason"][:80] not in logged:
        made.wrong.append("the log file does not tell")
    made.wrong += incomplete(scene, facts) + traces(scene, facts)
