"""Finds the processes that use a directory, whether they belong to a service or not (proc(5))."""

import os
from typing import NamedTuple


def used_paths() -> set[str]:
    """Return the working directories and mapped files of all processes that can be inspected."""
    found = set()
    for process in filter(str.isdecimal, os.listdir("/proc")):
        for link in ("cwd", "root", "exe"):
            try:
                found.add(os.readlink(f"/proc/{process}/{link}"))
            except OSError:
                continue
        try:
            with open(f"/proc/{process}/maps", encoding="utf-8", errors="replace") as maps:
                found.update(line.split(None, 5)[5].rstrip("\n") for line in maps if "/" in line)
        except OSError:
            continue
    return found


def is_used(directory: str, paths: set[str]) -> bool:
    """Return whether one of the paths is the directory or is inside it."""
    return any(path == directory or path.startswith(f"{directory}/") for path in paths)


class Process(NamedTuple):
    """A process: its id, its command line, and the unit that it belongs to."""

    pid: str
    command: str
    unit: str


def processes_in(directory: str) -> list[Process]:
    """Return the processes that work in a directory, run from it or name it in their command."""
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        if pid == str(os.getpid()):
            continue
        command = " ".join(_read(pid, "cmdline").split("\0")).strip()
        paths = {_link(pid, link) for link in ("cwd", "exe")}
        if is_used(directory, paths) or f"{directory}/" in command:
            unit = _read(pid, "cgroup").strip().rpartition("/")[2]
            found.append(Process(pid, command, unit))
    return found


def _read(pid: str, name: str) -> str:
    try:
        with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        # It has ended meanwhile.
        return ""


def _link(pid: str, name: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/{name}")
    except OSError:
        return ""
