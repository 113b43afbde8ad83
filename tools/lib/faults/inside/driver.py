"""Runs the real command, and dies at a write to the journal or waits at a step.

The plan is read from a file, so that the unit's command line does not change. Without a plan, this
is the same as `autoupdatectl`.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

sys.path.insert(0, "/usr/share/ipfs-accelerate-autoupdate")

from autoupdate.adoption import relocation
from autoupdate.cli.main import main as usual
from autoupdate.host.clock import Clock
from autoupdate.model.steps import Step
from autoupdate.records.records import Records
from autoupdate.update import activate, roll_back
from autoupdate.worker.client import WorkerProcess

DIRECTORY = "/run/faults"
PLAN, REACHED, GO, PID = (f"{DIRECTORY}/{name}" for name in ("plan.json", "reached", "go", "pid"))
ENTERED = {
    Step.VERIFY: "verify",
    Step.REHEARSE: "rehearse",
    Step.PROBATION: "probation",
    Step.ROLL_BACK: "roll back",
}

Method = Callable[..., Any]


def tell(words: str) -> None:
    """Write where the run is, in one atomic step for those who wait for the file."""
    with open(PID, "w", encoding="ascii") as stream:
        stream.write(str(os.getpid()))
    with open(f"{REACHED}.part", "w", encoding="utf-8") as stream:
        stream.write(words)
    os.rename(f"{REACHED}.part", REACHED)


def die(words: str, how: str) -> NoReturn:
    """Kill the process group, or wait until the whole unit is killed."""
    tell(words)
    if how == "group":
        os.killpg(0, signal.SIGKILL)
    while True:
        time.sleep(60)


def kill_at(number: int, when: str, how: str) -> None:
    """Die before or after the n-th write to the journal, or the n-th change of an adoption."""
    done = 0

    def counting(function: Method, describe: Callable[..., str]) -> Method:
        def counted(*arguments: Any) -> Any:
            nonlocal done
            done += 1
            words = f"{when} write {done}: {describe(*arguments)}"
            if done == number and when == "before":
                die(words, how)
            result = function(*arguments)
            if done == number:
                die(words, how)
            return result

        return counted

    Records.write = counting(  # type: ignore[method-assign]
        Records.write, lambda _, query, values=(): " ".join(query.split())[:60]
    )
    for name, describe in (
        ("write", lambda *_: "the adoption's journal"),
        ("make", lambda move, *_: f"{move.do} {move.source}"),
        ("clear", lambda *_: "the end of the adoption's journal"),
    ):
        setattr(relocation, name, counting(getattr(relocation, name), describe))


def wait_at(step: str, jump: int) -> None:
    """Wait at a step until it may continue, or move the clock there."""

    def arrive(here: str) -> None:
        if here != step:
            return
        if jump:
            move_clock(jump)
        tell(here)
        while not jump and not os.path.exists(GO):
            time.sleep(0.01)

    def before(function: Method, here: str) -> Method:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            arrive(here)
            return function(*arguments, **named)

        return wrapped

    enter: Method = Records.enter
    begin: Method = Records.begin

    def entered(self: Records, number: int, following: Step, at: str) -> None:
        enter(self, number, following, at)
        arrive(ENTERED.get(following, ""))

    def begun(self: Records, *arguments: Any) -> int:
        number: int = begin(self, *arguments)
        arrive(ENTERED.get(arguments[-1], ""))
        return number

    for name, here in (("fetch", "fetch"), ("check_out", "check out"), ("build", "build")):
        setattr(WorkerProcess, name, before(getattr(WorkerProcess, name), here))
    activate.switch = before(activate.switch, "activate")  # type: ignore[attr-defined]
    roll_back.switch = before(roll_back.switch, "activate")  # type: ignore[attr-defined]
    roll_back.watch = before(roll_back.watch, "watch")  # type: ignore[attr-defined]
    Records.enter = entered  # type: ignore[assignment, method-assign]
    Records.begin = begun  # type: ignore[assignment, method-assign]
    arrive("start")


def move_clock(seconds: int) -> None:
    """Change the run's time of day only: hosts share the machine's clock."""

    def now(_: Clock) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))

    Clock.now = now  # type: ignore[assignment, method-assign]


def main(arguments: list[str]) -> int:
    """Run a verb according to the plan."""
    try:
        with open(PLAN, encoding="utf-8") as stream:
            plan = json.load(stream)
        # For this run only: recovery is done by the unmodified package.
        os.unlink(PLAN)
    except FileNotFoundError:
        plan = {}
    if "write" in plan:
        kill_at(plan["write"], plan["when"], plan["how"])
    if "step" in plan:
        wait_at(plan["step"], plan.get("clock", 0))
    return usual(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
