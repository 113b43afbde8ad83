"""The logs of releases: a file for each, with all that its build, rehearsal and hooks printed.

They outlive their releases: of a release that failed, nothing else is left.
"""

import os
import re
from contextlib import suppress

from autoupdate.host.log import Log
from autoupdate.host.log_sinks import append_line
from autoupdate.model.events import OUTPUT, Event
from autoupdate.model.paths import AppPaths

# Limits of one file, in bytes, and of their number.
MOST_BYTES = 16 << 20
MOST_FILES = 30
# Names of releases are also arguments of `show`.
NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]*")


class ReleaseLogs:
    """A log that also writes the output of a release's programs to that release's file."""

    def __init__(self, log: Log, paths: AppPaths) -> None:
        self.log = log
        self.paths = paths
        self._bytes: dict[str, int] = {}

    def write(self, event: Event) -> None:
        """Record one event; without space for its file, it is only passed on."""
        self.log.write(event)
        if event.kind == OUTPUT and NAME.fullmatch(event.release):
            with suppress(OSError):
                self._keep(event.release, event.message)

    def _keep(self, release: str, line: str) -> None:
        file = self.paths.release_log(release)
        if release not in self._bytes:
            os.makedirs(self.paths.release_logs, mode=0o700, exist_ok=True)
            self._bytes[release] = os.path.getsize(file) if os.path.exists(file) else 0
            make_room(self.paths, release)
        if self._bytes[release] > MOST_BYTES:
            return
        self._bytes[release] += len(line.encode(errors="replace")) + 1
        if self._bytes[release] > MOST_BYTES:
            line = f"the rest is not kept: it is more than {MOST_BYTES >> 20} MiB"
        append_line(file, line)


def make_room(paths: AppPaths, release: str) -> None:
    """Remove the oldest files, so that with that of `release` there are at most MOST_FILES."""
    others = [item for item in os.scandir(paths.release_logs) if item.name != f"{release}.log"]
    others.sort(key=lambda item: item.stat(follow_symlinks=False).st_mtime)
    for item in others[: max(0, len(others) - MOST_FILES + 1)]:
        os.unlink(item.path)


def has_log(paths: AppPaths, release: str) -> bool:
    """Return whether anything was printed for a release."""
    return bool(release) and os.path.exists(paths.release_log(release))


def named(paths: AppPaths, beginning: str) -> list[str]:
    """Return the releases that have a file and whose names begin like this. Raises OSError."""
    try:
        found = sorted(os.listdir(paths.release_logs))
    except FileNotFoundError:
        return []
    names = [name.removesuffix(".log") for name in found if name.endswith(".log")]
    return [name for name in names if name.startswith(beginning)]


def read(paths: AppPaths, release: str) -> str:
    """Return the log of a release. Raises OSError."""
    with open(paths.release_log(release), encoding="utf-8", errors="replace") as file:
        return file.read()
