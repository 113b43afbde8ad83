"""The fault matrix: every fault at every step where it can have an effect, each on a new host."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.lib.faults.faults import FAULTS, START, Fault
from tools.lib.faults.look import recovered, service_starts
from tools.lib.faults.scene import RUN, Scene, opened
from tools.lib.faults.volume import Volume
from tools.lib.hosts.broken import Broken
from tools.lib.hosts.commands import CommandFailedError
from tools.lib.hosts.demo_app import SERVICES
from tools.lib.hosts.host import HostError

# Time limits for a server that does not answer, and for a build.
LIMITS = "[upstream]\ntimeout = '4s'\n"

# Messages of the gate when its policy, and not the fault, keeps a service down for a time.
BLOCKED = "as start.if_update_fails is block"


@dataclass
class Cell:
    """One fault at one step, what happened, and what was wrong afterwards."""

    release: str
    fault: str
    step: str
    happened: str = ""
    seconds: float = 0
    wrong: list[str] = field(default_factory=list)


def cells(release: str, deb: Path, chosen: str = "") -> Iterator[Cell]:
    """Run the matrix on one release of Debian."""
    for fault in FAULTS:
        for step in fault.steps:
            if chosen in f"{fault.name}, {step}":
                yield cell(release, deb, fault, step)


def cell(release: str, deb: Path, fault: Fault, step: str) -> Cell:
    """Cause one fault at one step."""
    made = Cell(release, fault.name, step)
    began = time.monotonic()
    try:
        with opened(release, deb, volume=Volume if fault.volume else None) as scene:
            Trial(scene, fault, step, made).run()
    except (AssertionError, CommandFailedError, HostError) as error:
        made.wrong.append(f"given up: {str(error)[:1500]}")
    made.seconds = time.monotonic() - began
    return made


class Trial:
    """What is done for one cell."""

    def __init__(self, scene: Scene, fault: Fault, step: str, cell: Cell) -> None:
        """Use a scene that is open."""
        self.scene = scene
        self.fault = fault
        self.step = step
        self.cell = cell
        self.said: list[str] = []
        self.last_run: dict[str, Any] = {}

    def run(self) -> None:
        """Cause the fault at the step, check, remove the fault, and check again."""
        scene, fault = self.scene, self.fault
        scene.app.configure_more(LIMITS)
        if fault.previous:
            scene.commit()
            scene.run()
        self.note(fault.prepare(scene))
        scene.commit(
            Broken.CRASH if self.step == "roll back" else None,
            new_requirements=self.step in fault.new_requirements,
        )
        before = scene.processes()
        self.last_run = scene.status()[0]["last_run"]
        if self.step == START:
            self._at_start()
        else:
            self._at_step()
        self._tell_services(before)
        self.note(fault.heal(scene))
        scene.unplan()
        self._recover()
        self.cell.happened = "; ".join(self.said)

    def note(self, words: str) -> None:
        """Add to the description of what happened."""
        if words:
            self.said.append(words)

    def _at_step(self) -> None:
        scene, fault = self.scene, self.fault
        scene.plan(step=self.step, clock=fault.clock)
        scene.host.systemctl("start", "--no-block", RUN)
        scene.host.wait_for(lambda: scene.reached() or scene.unit_ended(), 120, "the step")
        if not scene.reached():
            self.cell.wrong.append(f"the run ended before its step {self.step}")
        if self.step in fault.during:
            scene.go_on()
        self.note(fault.strike(scene))
        if scene.reached():
            scene.go_on()
        scene.wait_ended()
        self._tell_run()

    def _at_start(self) -> None:
        """Restart a service during the fault; with Restart=always, systemd goes on trying."""
        scene, fault = self.scene, self.fault
        if fault.clock:
            scene.plan(step="start", clock=fault.clock)
        self.note(fault.strike(scene))
        scene.app.forget_freshness()
        done = scene.host.systemctl("restart", SERVICES[0], check=False, timeout=300)
        self.note("the service starts" if done.ok else "the service does not start")
        scene.wait_ended()
        self._tell_run()

    def _tell_run(self) -> None:
        """Note how the run ended, as recorded in the state."""
        scene = self.scene
        code = scene.host.show(RUN, "ExecMainStatus", "Result")
        how = f"exit {code['ExecMainStatus']}"
        if code["Result"] not in ("success", "exit-code"):
            how += f" ({code['Result']})"
        status, complaint = scene.status()
        if complaint:
            self.note(f"{how}, {complaint}")
            return
        last = status["last_run"] or {}
        if last and last != self.last_run:
            said = f"{last['result']}: {last['reason']}"
        else:
            said = f"not recorded; the journal says: {scene.told()}"
        self.note(f"{how}, {said.strip().replace('ipfs-accelerate: ', '')}"[:500])
        commit = (status["current"] or {}).get("commit", "")
        version = scene.versions.get(commit)
        self.note(f"current is version {version}" if version else "no current release")

    def _tell_services(self, before: dict[str, str]) -> None:
        scene = self.scene
        after = scene.processes()
        names = [name.removesuffix(".service") for name in after if after[name] != before[name]]
        if not names:
            self.note("no service was restarted")
            return
        running = scene.serving()
        self.note(
            f"restarted: {', '.join(names)}; "
            + (f"all three run version {running}" if running else "not all three are up")
        )

    def _service_starts(self) -> list[str]:
        """Restart a service; if the policy keeps it down, it must start by itself later."""
        scene = self.scene
        began = time.monotonic()
        wrong = service_starts(scene)
        if not any(BLOCKED in fault for fault in wrong):
            return wrong
        try:
            scene.app.wait_up(100)
        except (AssertionError, CommandFailedError):
            return wrong
        waited = time.monotonic() - began
        self.note(f"if_update_fails refuses a restart; it comes up by itself after {waited:.0f} s")
        return []

    def _recover(self) -> None:
        """Check after the fault: starting services and runs must be enough to recover."""
        scene, wrong = self.scene, self.cell.wrong
        wrong += self._service_starts()
        done, waits = scene.run_until_done()
        said = (done.stdout or done.stderr).strip().splitlines()
        self.note(
            f"afterwards, {f'when the wait is over ({waits}), ' if waits else ''}exit"
            f" {done.returncode}: {said[-1][:200] if said else ''}"
        )
        if not done.ok:
            wrong.append(f"the next run ends with {done.returncode}: {said}")
        if self.step == "roll back":
            # The commit was bad; a newer one must be deployed.
            scene.commit()
            done, _ = scene.run_until_done()
            if not done.ok:
                wrong.append(f"the next good commit does not come in: {done.stderr}")
        wrong += [f"in the end: {fault}" for fault in recovered(scene)]
