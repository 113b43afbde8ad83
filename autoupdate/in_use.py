"""Which releases processes still run from, service or not (proc(5))."""

import os


def used_paths() -> set[str]:
    """Return the working directories and mapped files of all processes that can be looked at."""
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
    """Tell whether one of the paths is the directory or lies in it."""
    return any(path == directory or path.startswith(f"{directory}/") for path in paths)
