"""The worker: everything that touches what upstream wrote, as a user without rights.

A child of the run. It reads requests from its standard input, one JSON object a line, and
answers with JSON lines: {"output": …} while it works, then {"done": …} or {"failed": …}.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from typing import Any

from git.exc import GitCommandError

from autoupdate.environment import EnvironmentBuilder
from autoupdate.errors import AutoupdateError, describe
from autoupdate.paths import AppPaths
from autoupdate.run import start
from autoupdate.settings import Build
from autoupdate.source import Mirror, link_shared, said_by_git

# Of the output of a command more is passed on, but not kept.
MOST_LINES, LONGEST_LINE = 5000, 16_384


class Worker:
    """The requests that a worker knows, by name."""

    def __init__(self, paths: AppPaths) -> None:
        self.paths = paths
        self.mirror = Mirror(paths.mirror)

    def fetch(self, url: str, wanted: str) -> dict[str, Any]:
        """Fetch a ref or commit into the mirror."""
        self.mirror.clear_leftovers()
        return self.mirror.fetch(url, wanted)._asdict()

    def begin_mirror(self) -> dict[str, Any]:
        """Begin a new mirror in place of a damaged one."""
        self.mirror.open()
        return {}

    def check_out(self, release: str, commit: str) -> dict[str, Any]:
        """Make the work tree of a release."""
        self.mirror.check_out(self.paths.release(release), commit)
        return {}

    def plan(self, release: str, settings: dict[str, Any]) -> dict[str, Any]:
        """Find out which environment a release needs, and how much space it takes."""
        environment = self._builder(settings).plan(self.paths.release(release))
        return {**environment._asdict(), "free": free_space(self.paths.releases)}

    def build(self, release: str, shared: list[str], settings: dict[str, Any]) -> dict[str, Any]:
        """Link what is shared, then make the release's environment with the app in it."""
        directory = self.paths.release(release)
        link_shared(directory, self.paths.shared, tuple(shared))
        before = free_space(self.paths.releases)
        self._builder(settings).provide(directory)
        self.mirror.note_built_files(directory, tuple(shared))
        # What a power cut must not lose, before anything points to it (sync(1)).
        command(["sync", "--file-system", self.paths.releases], "/", {})
        return {"bytes": max(0, before - free_space(self.paths.releases))}

    def _builder(self, settings: dict[str, Any]) -> EnvironmentBuilder:
        settings = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in settings.items()
        }
        return EnvironmentBuilder(self.paths.environments, Build(**settings), command)

    def save_local_changes(self, release: str, shared: list[str], message: str) -> dict[str, Any]:
        """Save local changes of a release as a stash."""
        directory = self.paths.release(release)
        return {"paths": self.mirror.save_local_changes(directory, tuple(shared), message)}

    def remove(self, release: str) -> dict[str, Any]:
        """Remove a release."""
        self.mirror.remove(self.paths.release(release))
        return {}

    def tidy(self, environments: list[str]) -> dict[str, Any]:
        """Remove all environments but these."""
        for key in set(os.listdir(self.paths.environments)) - set(environments):
            shutil.rmtree(f"{self.paths.environments}/{key}")
        return {}


def command(words: Sequence[str], directory: str, additions: dict[str, str]) -> tuple[int, str]:
    """Run one command of a build; pass its output on line by line, and return it."""
    process = start(
        words,
        environment={**os.environ, **additions},
        directory=directory,
        stderr=subprocess.STDOUT,
        own_session=False,
    )
    assert process.stdin is not None  # noqa: S101 - for the type checker: both are pipes
    assert process.stdout is not None  # noqa: S101
    process.stdin.close()
    lines: deque[str] = deque(maxlen=MOST_LINES)
    while raw := process.stdout.readline(LONGEST_LINE):
        line = raw.decode(errors="replace").rstrip()
        lines.append(line)
        if line:
            answer({"output": line})
    return process.wait(), "\n".join(lines)


def free_space(directory: str) -> int:
    """Return the bytes that users without rights may still write there (statvfs(3))."""
    facts = os.statvfs(directory)
    return facts.f_bavail * facts.f_frsize


def answer(message: dict[str, Any]) -> None:
    """Write one line to the run."""
    print(json.dumps(message), flush=True)


def serve(worker: Worker) -> None:
    """Answer requests until the run closes the pipe."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            done = getattr(worker, request["do"])(**request["with"])
        except AutoupdateError as error:
            kind = type(error).__name__
            answer({"failed": error.message, "advice": error.advice, "kind": kind})
        except GitCommandError as error:
            answer({"failed": said_by_git(error), "advice": "", "kind": "HostFaultError"})
        except OSError as error:
            answer({"failed": describe(error), "advice": "", "kind": "HostFaultError"})
        else:
            answer({"done": done})


if __name__ == "__main__":
    # It led here; what is built must not see it.
    os.environ.pop("PYTHONPATH", None)
    serve(Worker(AppPaths(home=sys.argv[1], run="")))
