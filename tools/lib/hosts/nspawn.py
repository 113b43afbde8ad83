"""Start systemd-nspawn on a directory and find the first process inside."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tools.lib.hosts import cgroups
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT
from tools.lib.hosts.machine import directories_to_bind

# Joins the host's cgroups before the host starts; systemd-nspawn creates its own below them.
_JOIN_AND_START = 'for g; do [ "$g" != -- ] || break; echo $$ >"$g/cgroup.procs"; shift; done; '
_JOIN_AND_START += 'shift; exec "$@"'


def start(name: str, root: Path, console: Path) -> subprocess.Popen[bytes]:
    """Boot the system in `root`, with its console written to a file."""
    groups = cgroups.create(name)
    binds = [f"--bind-ro={directory}" for directory in directories_to_bind()]
    command = (
        "/usr/bin/systemd-nspawn",
        "--quiet",
        "--boot",
        "--register=no",
        "--keep-unit",
        "--console=read-only",
        f"--directory={root}",
        f"--machine={name}",
        "--resolv-conf=replace-host",
        "--timezone=off",
        "--link-journal=no",
        # Otherwise systemd cannot bring up the loopback of a private network.
        "--capability=CAP_NET_ADMIN",
        # As on a real host; systemd-nspawn forbids these to its containers by default.
        "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self",
        *binds,
    )
    environment = {
        **CLEAN_ENVIRONMENT,
        "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
        # Each host has its own directory; a lock on it would outlive a killed host.
        "SYSTEMD_NSPAWN_LOCK": "0",
    }
    with console.open("ab") as log:
        return subprocess.Popen(
            ("/bin/sh", "-c", _JOIN_AND_START, "join", *map(str, groups), "--", *command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            umask=0o022,
            start_new_session=True,
        )


def find_leader(process: subprocess.Popen[bytes], deadline: float) -> int:
    """Return the machine's process ID of the host's process 1; 0 if it did not start."""
    while time.monotonic() < deadline and process.poll() is None:
        for child in _children(process.pid):
            if _numbers(child)[1:] == ["1"] and _is_init(child):
                return child
        time.sleep(0.005)
    return 0


def _children(process_id: int) -> Sequence[int]:
    try:
        text = Path(f"/proc/{process_id}/task/{process_id}/children").read_text()
    except OSError:
        return ()
    return [int(word) for word in text.split()]


def _numbers(process_id: int) -> list[str]:
    """Return the process ID in each namespace, the machine's first."""
    try:
        for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return line.split()[1:]
    except OSError:
        pass
    return []


def _is_init(process_id: int) -> bool:
    """Return whether systemd itself is running, in all its namespaces."""
    try:
        return Path(os.readlink(f"/proc/{process_id}/exe")).name == "systemd"
    except OSError:
        return False
