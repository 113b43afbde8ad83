"""Finds and kills the processes that a build leaves behind, daemons included.

A process that leaves its group and its session (a daemon) becomes the child of the nearest
subreaper above it when its parent ends (prctl(2)); the run makes itself that subreaper.
"""

import ctypes
import os
import signal
import time

PR_SET_CHILD_SUBREAPER = 36
# Rounds of killing: each may find children that were forked during the previous one.
MOST_ROUNDS = 200


def become_subreaper() -> None:
    """Make this process the parent of its descendants' orphans. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def end_descendants() -> None:
    """Kill and reap all descendants of this process."""
    for _ in range(MOST_ROUNDS):
        below = descendants(os.getpid())
        if not below:
            return
        for process in below:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        _collect()
        time.sleep(0.005)


def descendants(ancestor: int) -> list[int]:
    """Return the descendants of a process, the nearest first (proc(5))."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                # The command name, in brackets, may itself hold spaces and brackets.
                parent = int(stat.read().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, []).append(int(name))
    found, pending = [], [ancestor]
    while pending:
        nearest = children.get(pending.pop(0), [])
        found += nearest
        pending += nearest
    return found


def _collect() -> None:
    """Reap ended children, so that they are no longer listed."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
