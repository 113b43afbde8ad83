"""How much memory a command and all its children need at one moment (proc(5))."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tools.lib.hosts.commands import CLEAN_ENVIRONMENT

LOOK_EVERY = 0.002
INSTALLERS = ("uv", "pip")


class Peak(NamedTuple):
    """The highest memory use that was seen, in bytes."""

    together: int
    """All processes at one moment; shared pages are divided among them (Pss)."""
    largest: int
    """The largest single process, including shared pages (VmHWM)."""


def peak(words: Sequence[str | Path]) -> Peak:
    """Run a command; return its peak, without installers and their children."""
    together = largest = 0
    with subprocess.Popen(
        [str(word) for word in words], env=CLEAN_ENVIRONMENT, stdout=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            tree = _tree(process.pid)
            together = max(together, sum(_field(pid, "smaps_rollup", "Pss") for pid in tree))
            largest = max([largest, *(_field(pid, "status", "VmHWM") for pid in tree)])
            time.sleep(LOOK_EVERY)
    if process.returncode:
        raise AssertionError(f"{words}: exit code {process.returncode}")
    return Peak(together, largest)


def _tree(top: int) -> list[int]:
    """Return a process with its descendants, except for installers and theirs."""
    found, pending = [], [top]
    while pending:
        pid = pending.pop()
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            # The process has just ended.
            continue
        if any(os.path.basename(word).decode(errors="replace") in INSTALLERS for word in words):
            continue
        found.append(pid)
        pending += map(int, children)
    return found


def _field(pid: int, file: str, name: str) -> int:
    """Return a field in kB of a file in proc(5); 0 if the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:")), 0)
