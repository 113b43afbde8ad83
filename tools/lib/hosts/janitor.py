"""Removes the hosts of a test process that was killed before it could do so itself.

A child process waits until the pipe to the test process closes, for whatever reason. Then it
removes each host that was announced and not withdrawn.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tools.lib.hosts import remains
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT

_PROJECT = Path(__file__).parents[3]


class Janitor:
    """The test process's side."""

    _lock = threading.Lock()
    _process: subprocess.Popen[str] | None = None
    _owner = 0

    @classmethod
    def announce(cls, name: str, directory: Path) -> None:
        """Have a host removed if this process dies."""
        cls._tell(f"add\t{name}\t{directory}")

    @classmethod
    def take_back(cls, name: str) -> None:
        """Withdraw a host that has been removed."""
        cls._tell(f"done\t{name}")

    @classmethod
    def _tell(cls, line: str) -> None:
        with cls._lock:
            # After a fork, the janitor belongs to the parent only.
            if cls._process is None or cls._owner != os.getpid():
                cls._owner = os.getpid()
                cls._process = subprocess.Popen(
                    (sys.executable, "-B", "-m", "tools.lib.hosts.janitor"),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    text=True,
                    env=CLEAN_ENVIRONMENT,
                    cwd=_PROJECT,
                    start_new_session=True,
                )
            if cls._process.stdin is None:
                raise AssertionError("the janitor was started without a pipe")
            cls._process.stdin.write(line + "\n")
            cls._process.stdin.flush()


def main() -> None:
    """Listen; at the end, remove the hosts that are left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    hosts: dict[str, Path] = {}
    for line in sys.stdin:
        verb, name, *rest = line.rstrip("\n").split("\t")
        if verb == "add":
            hosts[name] = Path(rest[0])
        else:
            hosts.pop(name, None)
    for name, directory in hosts.items():
        try:
            remains.clear(name, directory)
        except OSError as error:
            print(f"janitor: {name}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
