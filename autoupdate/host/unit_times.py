"""The times that units allow for their stop and their start (systemd.service(5))."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from autoupdate.config.values import duration
from autoupdate.host.unit_files import directives

PROPERTIES = "TimeoutStopUSec,FragmentPath,DropInPaths"
# systemd's own, if a unit does not say (DefaultTimeoutStopSec= in systemd-system.conf(5)).
USUAL = 90.0
# Drop-ins with this set a long TimeoutStartSec=, as the start of the service waits for a build.
GATE = "/pre-start"


class Times(NamedTuple):
    """In seconds, `math.inf` for no limit; `start` is None if the unit does not say."""

    stop: float = USUAL
    start: float | None = None


def parse(block: str) -> Times:
    """Read one block of `systemctl show`, and the files that it names."""
    found = dict(line.partition("=")[::2] for line in block.splitlines())
    files = [found.get("FragmentPath", ""), *found.get("DropInPaths", "").split()]
    return Times(in_seconds(found.get("TimeoutStopUSec", "")) or USUAL, own_start(files))


def own_start(files: Sequence[str]) -> float | None:
    """Return what the files of a unit allow for its start, without those that call the gate."""
    own = None
    for file in filter(None, files):
        lines = directives(file)
        if any(GATE in line.value for line in lines):
            continue
        for line in lines:
            if line.key in ("TimeoutStartSec", "TimeoutSec"):
                own = in_seconds(line.value)
    return own


def in_seconds(text: str) -> float | None:
    """Return a time span of systemd.time(7): None for an empty one, infinity for 0."""
    if not text:
        return None
    try:
        return duration(text) or math.inf
    except ValueError:
        # "infinity", or one of months and years.
        return math.inf
