"""Bad moments: what a person or the host does while a run is at a step, and what comes of it.

Several moments share a host, as long as it is whole again after each.
"""

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tools.lib.faults import driver
from tools.lib.faults.cells import Cell
from tools.lib.faults.look import incomplete, recovered, right_after, service_starts
from tools.lib.faults.scene import APP, CONFIRM, PATIENCE, RUN, Scene, last_line, opened
from tools.lib.faults.volume import Volume
from tools.lib.hosts import commands
from tools.lib.hosts.commands import CommandFailedError, Completed
from tools.lib.hosts.host import HostError

FAULT = "moment"
CONTROL = ("/usr/bin/autoupdatectl",)
# Long enough to see that a command waits.
WHILE = 1.0


@dataclass
class Seen(Cell):
    """One moment, what was seen, and what was wrong."""

    exits: str = ""
    """How the commands concerned ended."""
    status: str = ""
    """What `status` said right after."""
    serves: str = ""
    """What the services ran before anything was repaired."""


class Moment(NamedTuple):
    """A moment: its name, what is done, and what must come of it."""

    name: str
    act: Callable[["Stage"], None]
    rolls_back: bool = False
    """The newest commit may be in quarantine afterwards, as somebody left it by hand."""
    unmanaged: bool = False
    """Afterwards the services only have to run; there is nothing that could update them."""
    volume: bool = False
    """It needs a host with a small file system."""


class Stage:
    """What a moment is made of: a run that waits at a step, other commands, and a look."""

    def __init__(self, scene: Scene, deb: Path, seen: Seen) -> None:
        self.scene = scene
        self.host = scene.host
        self.deb = deb
        self.seen = seen
        self.old = scene.serving()
        self.repairs: list[Callable[[], object]] = []
        """What ends the trouble, after it was noted what the services run."""
        self.mixed = False
        """A service that systemd cannot restart may go on with the old version."""
        self._alive: list[subprocess.Popen[str]] = []

    def begin(self, verb: str, step: str, *, unit: bool = False, **plan: object) -> "Command":
        """Start a verb on a new commit, by hand or as the unit, and wait until it is at a step."""
        scene = self.scene
        scene.commit()
        if verb == "rollback":
            done = scene.run()
            if not done.ok:
                raise AssertionError(f"no update to roll back from: {last_line(done)}")
        self.old = scene.serving()
        scene.plan(step=step, **plan)
        if unit:
            command = self.start("systemctl", "start", RUN)
        else:
            command = self.start(*driver.DRIVER, verb, APP)
        self.host.wait_for(
            lambda: scene.reached() or command.process.poll() is not None, 120, f"step {step}"
        )
        if not scene.reached():
            raise AssertionError(f"{verb} ended before step {step}: {command.end()}")
        return command

    def start(self, *words: str) -> "Command":
        """Start a command that may take long."""
        process = self.host.popen(*words)
        self._alive.append(process)
        # Without the path of the command, and of the driver.
        given = [word for word in words if word[:1] != "/" and word != "-I"]
        return Command(self, " ".join(given), process)

    def signal(self, name: str) -> None:
        """Send a signal to the process that waits, and to no other."""
        self.host.run("kill", f"-{name}", driver.pid(self.host))

    def go_on(self) -> None:
        """Let the run that waits go on."""
        self.scene.go_on()

    def type(self, *words: str, codes: tuple[int, ...] = (0,), says: str = "") -> Completed:
        """Type a verb; note its exit code, and check what it prints."""
        done = self.host.run(*CONTROL, *words, check=False, timeout=PATIENCE)
        shown = re.sub(r"\b[0-9a-f]{40}\b", "COMMIT", " ".join(words)).removesuffix(f" {APP}")
        self.judge(shown, done.returncode, done.stdout + done.stderr, codes, says)
        return done

    def judge(
        self, what: str, code: int, printed: str, codes: tuple[int, ...], says: str = ""
    ) -> None:
        """Note an exit code; check it, and the words."""
        self.seen.exits += f"{'; ' if self.seen.exits else ''}{what}: {code}"
        shown = " ".join(printed.split())[-600:]
        if code:
            self.seen.happened += f"({shown[-300:]}) "
        if code not in codes:
            self.seen.wrong.append(f"{what} ends with {code}, not {codes}: {shown}")
        if "Traceback" in printed:
            self.seen.wrong.append(f"{what} ends with a traceback: {shown}")
        if says not in " ".join(printed.split()):
            self.seen.wrong.append(f"{what} does not say {says!r}: {shown}")

    def look(self) -> None:
        """Look at once: a complete release is current, and `status` knows what goes on."""
        for _ in range(6):
            before = self.scene.facts()["unfinished"]
            wrong = right_after(self.scene) + self.says()
            # If it changed meanwhile, two looks do not fit together.
            if not wrong or self.scene.facts()["unfinished"] == before:
                break
        self.seen.wrong += [f"right after: {fault}" for fault in wrong]

    def says(self) -> list[str]:
        """Check that `status` names the run that is under way, or where it was interrupted."""
        for _ in range(20):
            alive = self.is_alive()
            status, complaint = self.scene.status()
            if alive == self.is_alive():
                break
        if complaint:
            return [complaint]
        state, cut = status["state"], status["interrupted"]
        watched = {True: " watched", False: " not watched"}[status["watched"]]
        words = state + (watched if state == "probation" else "")
        words += f", interrupted in {cut['step']}" if cut else ""
        self.seen.status = f"{words}; last run {(status['last_run'] or {}).get('result')}"
        wrong = []
        if state == "probation" and status["watched"] != alive:
            wrong.append(f"status says{watched}, and a run is {'' if alive else 'not '}alive")
        if state == "updating" and not alive:
            wrong.append("status says updating, and no run is alive")
        if cut and alive:
            wrong.append(f"status says interrupted in {cut['step']}, and a run is alive")
        return wrong

    def is_alive(self) -> bool:
        """Tell whether a run, by hand or of a unit, is alive."""
        if any(process.poll() is None for process in self._alive):
            return True
        return not self.scene.unit_ended()

    def serves(self) -> None:
        """Note what the services run now."""
        scene = self.scene
        with contextlib.suppress(AssertionError, CommandFailedError):
            scene.app.wait_up(60)
        running: set[int] = set()
        with contextlib.suppress(OSError, KeyError, CommandFailedError):
            running = set(scene.app.versions().values())
        names = {self.old: "the old version", max(scene.versions.values()): "the new version"}
        if self.seen.step.startswith("rollback"):
            names[self.old] = "the version before the rollback"
        shown = [names.get(version, "the version before") for version in sorted(running)]
        self.seen.serves = " and ".join(shown) or "nothing"
        if len(running) != 1 and not self.mixed:
            self.seen.wrong.append(f"the services run {self.seen.serves}: {scene.told()}")
        for repair in self.repairs:
            repair()

    def close(self) -> None:
        """End what was started here and still runs."""
        for process in self._alive:
            if process.poll() is None:
                commands.kill_group(process.pid)
                process.communicate()


class Command:
    """A command that was started."""

    def __init__(self, stage: Stage, what: str, process: subprocess.Popen[str]) -> None:
        self.stage = stage
        self.what = what.removesuffix(f" {APP}")
        self.process = process

    def waits(self) -> None:
        """Check that it does not end for a while."""
        time.sleep(WHILE)
        if self.process.poll() is not None:
            self.stage.seen.wrong.append(f"{self.what} does not wait")

    def end(self, *codes: int, says: str = "") -> str:
        """Wait until it ends, and check the exit code as a shell shows it; return the output."""
        try:
            printed = "".join(self.process.communicate(timeout=PATIENCE))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.what} does not end in {PATIENCE} s") from None
        code = self.process.returncode
        if codes:
            shown = 128 - code if code < 0 else code
            self.stage.judge(self.what, shown, printed, codes, says)
        return printed


def moments(release: str, deb: Path, table: tuple[Moment, ...], chosen: str = "") -> Iterator[Seen]:
    """Try each moment; a host is used again if it is whole."""
    wanted = [moment for moment in table if chosen in moment.name]
    # Those that need a host of a kind come together.
    wanted.sort(key=lambda moment: moment.volume)
    hosts = contextlib.ExitStack()
    scene: Scene | None = None
    kind = False
    with hosts:
        for moment in wanted:
            seen = Seen(release, FAULT, moment.name)
            began = time.monotonic()
            try:
                if scene is None or kind != moment.volume:
                    hosts.close()
                    kind = moment.volume
                    volume = Volume if kind else None
                    scene = hosts.enter_context(opened(release, deb, volume=volume))
                try_one(scene, deb, moment, seen)
            except (AssertionError, CommandFailedError, HostError, OSError) as error:
                seen.wrong.append(f"given up: {str(error)[:1500]}")
            if seen.wrong or moment.unmanaged:
                scene = None
                hosts.close()
            seen.seconds = time.monotonic() - began
            yield seen


def try_one(scene: Scene, deb: Path, moment: Moment, seen: Seen) -> None:
    """Do one thing at its moment, look, and let the next run repair what is left."""
    stage = Stage(scene, deb, seen)
    try:
        moment.act(stage)
    finally:
        stage.close()
    scene.wait_ended()
    if moment.unmanaged:
        only_services(stage)
        return
    stage.serves()
    scene.unplan()
    seen.wrong += service_starts(scene)
    seen.wrong += run_again(scene, rolled_back=moment.rolls_back)
    if moment.rolls_back and not seen.wrong:
        scene.commit()
        seen.wrong += run_again(scene)


def run_again(scene: Scene, *, rolled_back: bool = False) -> list[str]:
    """Type `run`; check that the newest good commit is current, and nothing is left."""
    done, waits = scene.run_until_done()
    wrong = [f"in the end: {fault}" for fault in recovered(scene, rolled_back=rolled_back)]
    if not done.ok or waits:
        wrong.insert(0, f"the next run: {done.returncode} after {waits} waits: {last_line(done)}")
    return wrong


def only_services(stage: Stage) -> None:
    """Check that the services run, and start again, without the package."""
    scene = stage.scene
    stage.serves()
    stage.seen.wrong += service_starts(scene)
    facts: dict[str, Any] = scene.facts()
    if facts["release"]:
        stage.seen.wrong += incomplete(scene, facts)
    left = facts["processes"]
    if left:
        stage.seen.wrong.append(f"processes of _autoupdate: {json.dumps(left)}")
    alive = scene.host.run("systemctl", "is-active", RUN, CONFIRM, check=False).stdout.split()
    if "active" in alive:
        stage.seen.wrong.append(f"a unit is left: {alive}")
