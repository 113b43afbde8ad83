"""Removes what a host leaves behind on the machine."""

import shutil
from pathlib import Path

from tools.lib.hosts import cgroups
from tools.lib.hosts.layers import unmount_below

_NSPAWN_STATE = Path("/run/systemd/nspawn")


def clear(name: str, directory: Path | None) -> None:
    """End all processes of the host and remove its mounts and files; harmless if repeated.

    Without a directory, the host's files are kept, so that it can boot again.
    """
    cgroups.kill_and_remove(name)
    # systemd-nspawn removes these itself, unless it was killed.
    for kind in ("propagate", "unix-export"):
        left = _NSPAWN_STATE / kind / name
        if left.is_dir():
            unmount_below(left)
            left.rmdir()
    if directory is not None and directory.exists():
        unmount_below(directory)
        shutil.rmtree(directory)
