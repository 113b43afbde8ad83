"""The machine's side of inside/driver.py, which runs the command and makes it die or wait."""

import json
from pathlib import Path

from tools.lib.hosts.host import Host

SCRIPTS = "/usr/local/lib/faults"
DRIVER = ("/usr/bin/python3", "-I", f"{SCRIPTS}/driver.py")
DIRECTORY = "/run/faults"

_INSIDE = Path(__file__).parent / "inside"


def place(host: Host) -> None:
    """Copy the scripts into a host."""
    host.copy_in(_INSIDE, SCRIPTS)
    host.run("mkdir", "--parents", DIRECTORY)


def plan(host: Host, **plan: object) -> None:
    """Write down where the next run by the script must wait or die."""
    forget(host)
    host.write(f"{DIRECTORY}/plan.json", json.dumps(plan))


def forget(host: Host) -> None:
    """Remove a plan and its result."""
    host.run("sh", "-c", f"rm -f {DIRECTORY}/*")


def reached(host: Host) -> str:
    """Return where the script waits or died; empty if it did neither."""
    return host.run("cat", f"{DIRECTORY}/reached", check=False).stdout


def pid(host: Host) -> str:
    """Return the process ID, in the host, of the command that waits."""
    return host.read(f"{DIRECTORY}/pid").strip()
