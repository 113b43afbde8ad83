"""The kill matrix: runs are killed at every journal write, and at random instants."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tools.lib.faults.driver import DRIVER
from tools.lib.faults.look import recovered, right_after, service_starts
from tools.lib.faults.scene import APP, RUN, Scene, last_line
from tools.lib.hosts import commands
from tools.lib.hosts.demo_app import SERVICES
from tools.lib.hosts.tree import RELEASES

# How a run is started; this decides what is killed.
UNIT, START, HAND = "unit", "service start", "by hand"
WAYS = (UNIT, START, HAND)
UPDATE, ROLL_BACK = "update", "roll back"
# One of this number of updates has other requirements.
NEW_REQUIREMENTS = 12


@dataclass
class Kill:
    """One kill, and what was wrong afterwards."""

    release: str
    verb: str
    way: str
    point: str
    killed: bool
    seconds: float = 0
    wrong: list[str] = field(default_factory=list)


class Kills:
    """Kills runs on one host, one after the other."""

    def __init__(self, scene: Scene, release: str, seed: int) -> None:
        """Use a seed for random numbers."""
        self.scene = scene
        self.release = release
        self.random = random.Random(f"{seed} {release}")
        self._durations: dict[tuple[str, str, bool], float] = {}

    def at_writes(self, verb: str) -> Iterator[Kill]:
        """Kill before and after each write to the journal, until a run ends by itself.

        On one release of Debian a unit is killed, and on the other a run by hand.
        """
        way = UNIT if self.release == RELEASES[0] else HAND
        for when in ("before", "after"):
            number = 0
            killed = True
            while killed:
                number += 1
                kill = self.at_write(verb, way, number, when)
                killed = kill.killed
                yield kill

    def at_random(self, verb: str, count: int, ways: tuple[str, ...] = WAYS) -> Iterator[Kill]:
        """Kill at random instants, until this number of runs was hit."""
        hit = tried = 0
        while hit < count:
            way = ways[tried % len(ways)]
            new = verb == UPDATE and tried % NEW_REQUIREMENTS == NEW_REQUIREMENTS - 1
            tried += 1
            instant = self.random.uniform(0, self._duration(verb, way, new=new))
            kill = self._at_instant(verb, way, instant, new=new)
            hit += kill.killed
            yield kill

    # One kill

    def at_write(self, verb: str, way: str, number: int, when: str) -> Kill:
        """Kill before or after one write; a run with fewer writes ends by itself."""
        scene = self.scene
        self._prepare(verb, new=False)
        scene.plan(write=number, when=when, how="group" if way == HAND else "wait")
        began = time.monotonic()
        end = self._begin(verb, way, DRIVER)
        scene.host.wait_for(lambda: scene.reached() or end.ended(), 120, "the write is reached")
        point = scene.reached()
        if point:
            end.kill()
        else:
            end.wait()
        scene.unplan()
        return self._examine(
            Kill(self.release, verb, way, point or "not reached", bool(point)), began
        )

    def _at_instant(self, verb: str, way: str, instant: float, *, new: bool) -> Kill:
        self._prepare(verb, new=new)
        began = time.monotonic()
        end = self._begin(verb, way, ("/usr/bin/autoupdatectl",))
        time.sleep(max(0.0, began + instant - time.monotonic()))
        killed = end.kill()
        kind = " with new requirements" if new else ""
        point = f"{instant:.3f} s after the order{kind}"
        return self._examine(Kill(self.release, verb, way, point, killed), began)

    def _prepare(self, verb: str, *, new: bool) -> None:
        """Publish a new version; for a rollback, deploy it first."""
        self.scene.commit(new_requirements=new)
        if verb == ROLL_BACK:
            done = self.scene.run()
            if not done.ok:
                raise AssertionError(f"no update to roll back from: {last_line(done)}")

    def _begin(self, verb: str, way: str, command: tuple[str, ...]) -> "Ending":
        scene, host = self.scene, self.scene.host
        if way == START:
            scene.app.forget_freshness()
            host.systemctl("restart", "--no-block", SERVICES[0])
        elif way == UNIT and verb == UPDATE:
            host.systemctl("start", "--no-block", RUN)
        elif way == UNIT:
            # There is no unit for it; an administrator can start it like this.
            host.run("systemd-run", "--quiet", "--collect", "--unit=by-hand",
                     "--property=KillMode=control-group", *command, "rollback", APP)  # fmt: skip
            return Ending(
                lambda: host.run("systemctl", "kill", "--kill-whom=all", "--signal=KILL",
                                 "by-hand", check=False).ok,
                lambda: not host.systemctl("is-active", "by-hand", check=False).ok,
            )  # fmt: skip
        else:
            word = "run" if verb == UPDATE else "rollback"
            process = host.popen(*command, word, APP)

            def kill() -> bool:
                running = process.poll() is None
                commands.kill_group(process.pid)
                process.communicate()
                return running

            return Ending(kill, lambda: process.poll() is not None)
        return Ending(scene.kill_unit, scene.unit_ended)

    def _examine(self, kill: Kill, began: float) -> Kill:
        """Check, start a service and run, in random order, and check again."""
        scene = self.scene
        kill.wrong += [f"at once: {fault}" for fault in right_after(scene)]
        steps: list[Callable[[], list[str]]] = [lambda: service_starts(scene), self._run]
        if self.random.random() < 0.5:
            steps.reverse()
        for step in steps:
            kill.wrong += step()
        rolled_back = kill.verb == ROLL_BACK
        kill.wrong += [
            f"in the end: {fault}" for fault in recovered(scene, rolled_back=rolled_back)
        ]
        kill.seconds = time.monotonic() - began
        return kill

    def _run(self) -> list[str]:
        done, waits = self.scene.run_until_done()
        if done.ok and not waits:
            return []
        return [f"the next run ends with {done.returncode} after {waits} waits: {last_line(done)}"]

    def _duration(self, verb: str, way: str, *, new: bool) -> float:
        """Return how long such a run takes if it is not killed; measured once."""
        key = (verb, way, new)
        if key not in self._durations:
            self._prepare(verb, new=new)
            before = self.scene.facts()["release"]
            began = time.monotonic()
            end = self._begin(verb, way, ("/usr/bin/autoupdatectl",))
            # A run that the start of a service asks for begins some time after the start.
            self.scene.host.wait_for(
                lambda: end.ended() and self.scene.facts()["release"] != before, 300, f"{verb} ends"
            )
            self._durations[key] = time.monotonic() - began
            self.scene.run_until_done()
            self.scene.wait_ended()
        return self._durations[key]


@dataclass
class Ending:
    """How a run is killed, and how to detect that it has ended."""

    kill: Callable[[], bool]
    ended: Callable[[], bool]

    def wait(self) -> None:
        """Wait until it has ended."""
        deadline = time.monotonic() + 300
        while not self.ended():
            if time.monotonic() > deadline:
                raise AssertionError("the run does not end")
            time.sleep(0.05)
