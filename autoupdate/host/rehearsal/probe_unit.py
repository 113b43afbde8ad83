"""Tries one health probe in the sandbox of a rehearsal; started by systemd, see composed.py."""

import json
import sys

from autoupdate.config.sections import Probe
from autoupdate.host.probes import attempt


def question(probe: Probe, path: str) -> str:
    """Return what this program reads: a probe, and where the app is."""
    return json.dumps({"path": path, "probe": probe._asdict()})


def main() -> int:
    """Print what is wrong; nothing when all is well."""
    asked = json.load(sys.stdin)
    fields = asked["probe"]
    probe = Probe(**{**fields, "command": tuple(fields["command"])})
    # The unit has the user already.
    print(attempt(probe, asked["path"], None))
    return 0
