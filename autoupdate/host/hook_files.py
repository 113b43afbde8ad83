"""The administrator's hooks: finds them, checks their files, and runs them as root.

A hook may run only if nobody but root could have written it: the file and all directories above it
belong to root, and neither a group nor others can write to them.
"""

import os
import re
import stat
from collections.abc import Mapping
from typing import Protocol

from autoupdate.config import root_only
from autoupdate.host.process import NotStartedError, TimedOutError, run
from autoupdate.model.paths import Paths

PRE, POST = "pre-update.d", "post-update.d"
# The names that run-parts(8) accepts; files that an editor or dpkg leaves have others.
NAME = re.compile(r"[A-Za-z0-9_-]+")


class Hooks(Protocol):
    """What an update needs of the hooks."""

    def find(self, stage: str) -> list[str]:
        """Return the paths of the hooks of a stage (PRE or POST), in the order of their names."""

    def fault(self, hook: str) -> str:
        """Return why a hook may not run, or nothing."""

    def run(
        self, hook: str, environment: Mapping[str, str], timeout: float
    ) -> tuple[str, list[str]]:
        """Run a hook; return why it failed, or nothing, and the lines that it printed."""


class HostHooks:
    """The hooks of one app on this host."""

    def __init__(self, directory: str, *, top: str = "/", owner: int = 0) -> None:
        """Use the hooks in a directory. For tests: what is above `top` is not checked."""
        self.directory = directory
        self.top = top
        self.owner = owner

    def find(self, stage: str) -> list[str]:
        """Return the paths of the hooks of a stage, in the order of their names."""
        directory = f"{self.directory}/{stage}"
        hooks = [f"{directory}/{name}" for name in _names(directory) if NAME.fullmatch(name)]
        return [hook for hook in hooks if not os.path.isdir(hook)]

    def overlooked(self) -> list[str]:
        """Return the programs that never run, because they or their directory have a wrong name."""
        stages = [name for name in _names(self.directory) if name not in (PRE, POST)]
        places = [f"{self.directory}/{name}" for name in stages]
        for stage in (PRE, POST):
            directory = f"{self.directory}/{stage}"
            others = [name for name in _names(directory) if not NAME.fullmatch(name)]
            places += [f"{directory}/{name}" for name in others if not name.startswith(".")]
        return [place for place in places if os.path.isdir(place) or os.access(place, os.X_OK)]

    def fault(self, hook: str) -> str:
        """Return why a hook may not run, or nothing."""
        try:
            if fault := root_only.fault(hook, self.top, self.owner):
                return fault
            mode = os.stat(hook).st_mode
        except OSError as error:
            return f"{error.filename}: {error.strerror}"
        if not stat.S_ISREG(mode):
            return f"{hook} is not a regular file"
        return "" if mode & 0o111 else f"{hook} is not executable"

    def run(
        self, hook: str, environment: Mapping[str, str], timeout: float
    ) -> tuple[str, list[str]]:
        """Run a hook; return why it failed, or nothing, and the lines that it printed."""
        try:
            done = run([hook], environment=environment, timeout=timeout)
        except (TimedOutError, NotStartedError) as error:
            return str(error), []
        lines = done.stdout.decode(errors="replace").splitlines() + done.stderr.splitlines()
        if done.returncode < 0:
            return f"was killed by signal {-done.returncode}", lines
        return f"failed with exit code {done.returncode}" if done.returncode else "", lines


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []


def host_hooks(paths: Paths, name: str) -> HostHooks:
    """Return the hooks of an app. For tests: below another root, its owner counts as root."""
    owner = os.geteuid() if paths.root else 0
    return HostHooks(paths.hooks(name), top=paths.root or "/", owner=owner)
