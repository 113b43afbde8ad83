"""A control group per host: it holds every process of the host and nothing else."""

import os
import signal
import time
from pathlib import Path

from tools.lib.hosts.machine import unified_cgroups


def directories(name: str) -> list[Path]:
    """Return the group's directory in each hierarchy that systemd-nspawn sorts processes into."""
    hierarchies = [unified_cgroups(), Path("/sys/fs/cgroup/systemd")]
    return [hierarchy / name for hierarchy in hierarchies if hierarchy.is_dir()]


def create(name: str) -> list[Path]:
    """Make the group and hand it the controllers that the machine can give."""
    made = directories(name)
    for directory in made:
        directory.mkdir()
    _enable_controllers(unified_cgroups())
    return made


def kill_and_remove(name: str, timeout: float = 20) -> None:
    """Kill all that runs in the group, and remove it. A group that is not there is fine."""
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
    except OSError:  # an older kernel, or the first version of cgroups
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
            except OSError:  # something still runs in it, or it is gone already
                continue
    return not any(directory.exists() for directory in left)


def _enable_controllers(hierarchy: Path) -> None:
    for controller in _read(hierarchy / "cgroup.controllers").split():
        try:
            (hierarchy / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError:  # a container with processes in its top group cannot; limits are off then
            continue


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
