"""A control group for each host, with all processes of the host and no others."""

import os
import signal
import time
from pathlib import Path

from tools.lib.hosts.machine import unified_cgroups


def directories(name: str) -> list[Path]:
    """Return the group's directory in each hierarchy that systemd-nspawn uses."""
    hierarchies = [unified_cgroups(), Path("/sys/fs/cgroup/systemd")]
    return [hierarchy / name for hierarchy in hierarchies if hierarchy.is_dir()]


def create(name: str) -> list[Path]:
    """Create the group, with all controllers that the machine has."""
    made = directories(name)
    for directory in made:
        directory.mkdir()
    _enable_controllers(unified_cgroups())
    return made


def kill_and_remove(name: str, timeout: float = 20) -> None:
    """Kill all processes in the group and remove it, if it exists."""
    deadline = time.monotonic() + timeout
    pause = 0.001
    while not _removed(name):
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes in cgroup {name} do not end")
        for directory in directories(name):
            _kill(directory)
        time.sleep(pause)
        pause = min(pause * 2, 0.1)


def _kill(directory: Path) -> None:
    try:
        (directory / "cgroup.kill").write_text("1")
    except OSError:  # an older kernel, or cgroups v1
        for procs in directory.rglob("cgroup.procs"):
            for process_id in _read(procs).split():
                try:
                    os.kill(int(process_id), signal.SIGKILL)
                except ProcessLookupError:
                    continue


def _removed(name: str) -> bool:
    left = [directory for directory in directories(name) if directory.is_dir()]
    for directory in left:
        for root, _, _ in os.walk(directory, topdown=False):
            try:
                Path(root).rmdir()
            except OSError:  # a process is still in it, or it has been removed
                continue
    return not any(directory.exists() for directory in left)


def _enable_controllers(hierarchy: Path) -> None:
    for controller in _read(hierarchy / "cgroup.controllers").split():
        try:
            (hierarchy / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError:  # a container with processes in its top group: no limits
            continue


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
