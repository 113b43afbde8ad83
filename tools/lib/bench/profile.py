"""Measures how the time of an update is spent: each request of the run, and the rest."""

import json
from collections.abc import Callable
from pathlib import Path

from tools.lib.bench.report import Findings
from tools.lib.bench.site import Bench
from tools.lib.bench.timing import Times, once
from tools.lib.bench.updates import Small

ROUNDS = 7
# Runs bin/autoupdatectl and measures its requests and its own work on files of an environment.
LAUNCHER = """#!/usr/bin/python3 -I
import functools, json, sys, time
sys.path.insert(0, {library!r})
from autoupdate.cli.entry import main
from autoupdate.model.paths import Paths
from autoupdate.worker import building
from autoupdate.worker.link import WorkerLink

def timed(function, name):
    @functools.wraps(function)
    def wrapper(*words, **options):
        begun = time.monotonic()
        try:
            return function(*words, **options)
        finally:
            taken.append((name or words[1], time.monotonic() - begun))
    return wrapper

taken = []
WorkerLink.ask = timed(WorkerLink.ask, "")
building.provide = timed(building.provide, "provide")
status = main(sys.argv[1:], Paths({root!r}))
with open({log!r}, "w") as file:
    json.dump(taken, file)
sys.exit(status)
"""
MEANING = {
    "fetch": "fetch, with the start of the worker",
    "relation": "verify and guard",
    "inspect": "verify and guard",
    "packaged": "verify and guard",
    "check_out": "build: check out",
    "add_submodules": "build: check out",
    "plan": "build: key of the environment",
    "prepare": "build: dependencies",
    "install": "build: dependencies",
    "provide": "build: links to the environment's files",
    "finish": "build: the app, bytecode, sync",
    "rehearse": "rehearse: import the console scripts",
    "save_local_changes": "activate: look for local changes",
    "forget": "put the oldest release into the trash",
}
REST = "the run itself: start, question to upstream, journal, switch"


def measure(small: Small, findings: Findings) -> None:
    """Measure both kinds of update, step by step."""
    profile(small.bench, "code changed, by step", small.change_code, findings)
    profile(small.bench, "one requirement changed, by step", small.change_requirement, findings)


def profile(bench: Bench, group: str, change: Callable[[], None], findings: Findings) -> None:
    """Update several times; return the median of each step."""
    log = bench.directory / "profile.json"
    command = bench.directory / "autoupdate-profiled"
    command.write_text(
        LAUNCHER.format(library=str(bench.library), root=str(bench.root), log=str(log))
    )
    command.chmod(0o755)
    seconds: dict[str, list[float]] = {name: [] for name in dict.fromkeys(MEANING.values())}
    seconds[REST] = []
    for _ in range(ROUNDS):
        change()
        whole = once(lambda: bench.updates("small", command))
        for name, values in seconds.items():
            values.append(steps(log).get(name, 0.0) if name != REST else 0.0)
        seconds[REST][-1] = whole - sum(values[-1] for values in seconds.values())
    findings.compare(group, {name: Times(tuple(values)) for name, values in seconds.items()})


def steps(log: Path) -> dict[str, float]:
    """Return the seconds that each step took in the run that wrote this."""
    found: dict[str, float] = {}
    for name, taken in json.loads(log.read_text()):
        meaning = MEANING[name]
        found[meaning] = found.get(meaning, 0.0) + taken
    return found
