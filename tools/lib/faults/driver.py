"""inside/driver.py, which runs the command and has it die or wait, as seen from here."""

import json
from pathlib import Path

from tools.lib.hosts.host import Host

SCRIPTS = "/usr/local/lib/faults"
DRIVER = ("/usr/bin/python3", "-I", f"{SCRIPTS}/driver.py")
DIRECTORY = "/run/faults"

_INSIDE = Path(__file__).parent / "inside"


def place(host: Host) -> None:
    """Copy the script and what belongs to it into a host."""
    host.copy_in(_INSIDE, SCRIPTS)
    host.run("mkdir", "--parents", DIRECTORY)


def plan(host: Host, **plan: object) -> None:
    """Write down where the next run by the script is to wait or to die."""
    forget(host)
    host.write(f"{DIRECTORY}/plan.json", json.dumps(plan))


def forget(host: Host) -> None:
    """Remove a plan and what came of it."""
    host.run("sh", "-c", f"rm -f {DIRECTORY}/*")


def reached(host: Host) -> str:
    """Return where the script waits or died; empty if it came nowhere."""
    return host.run("cat", f"{DIRECTORY}/reached", check=False).stdout
