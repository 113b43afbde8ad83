"""The worker: everything that touches what upstream wrote, as a user without rights.

A child of the run. It reads requests from its standard input, one JSON object a line, and
answers with JSON lines: {"output": …} while it works, then {"done": …} or {"failed": …}.
"""

import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from git.exc import GitCommandError

from autoupdate.environment import EnvironmentBuilder
from autoupdate.errors import AutoupdateError, DamagedMirrorError, UpdateFailedError, describe
from autoupdate.inspection import full_name, inspect
from autoupdate.orphans import become_subreaper, end_descendants
from autoupdate.paths import AppPaths
from autoupdate.rehearse import rehearse
from autoupdate.run import LOOK_EVERY, NotStartedError, base_environment, start
from autoupdate.settings import Build
from autoupdate.source import Mirror, link_shared, said_by_git

if TYPE_CHECKING:
    from autoupdate.old_checkout import OldCheckout

# Of the output of a command more is passed on, but not kept.
MOST_LINES, LONGEST_LINE = 5000, 16_384


class Worker:
    """The requests that a worker knows, by name."""

    def __init__(self, paths: AppPaths) -> None:
        self.paths = paths
        self.mirror = Mirror(paths.mirror)

    def fetch(self, url: str, wanted: str, tags: list[str]) -> dict[str, Any]:
        """Fetch a ref or commit into the mirror, and tags."""
        self.mirror.clear_leftovers()
        return self.mirror.fetch(url, wanted, tuple(tags))._asdict()

    def relation(self, base: str, commit: str) -> dict[str, Any]:
        """Tell what a commit is to another one."""
        return {"relation": self.mirror.relation(base, commit)}

    def begin_mirror(self) -> dict[str, Any]:
        """Begin a new mirror in place of a damaged one."""
        self.mirror.open()
        return {}

    def inspect(self, commit: str, deployed: str, asked: list[str]) -> dict[str, Any]:
        """Tell what a commit holds, and how it differs from the deployed one."""
        try:
            return inspect(self.paths.mirror, commit, deployed, asked)._asdict()
        except UpdateFailedError as error:
            if self.mirror.is_sound():
                raise
            raise DamagedMirrorError(f"{self.paths.mirror}: {error.message}") from None

    def resolve(self, name: str) -> dict[str, Any]:
        """Complete the abbreviated name of a commit."""
        return {"commit": full_name(self.paths.mirror, name)}

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

    def rehearse(
        self, release: str, previous: str, commands: list[list[str]], smoke: bool
    ) -> dict[str, Any]:
        """Try a release out; nothing that this starts stays."""
        former = self.paths.release(previous) if previous else ""
        try:
            warnings = rehearse(self.paths.release(release), former, commands, try_out, smoke=smoke)
        finally:
            end_descendants()
        return {"warnings": warnings}

    def save_local_changes(self, release: str, shared: list[str], message: str) -> dict[str, Any]:
        """Save local changes of a release as a stash."""
        directory = self.paths.release(release)
        return {"paths": self.mirror.save_local_changes(directory, tuple(shared), message)}

    def examine_checkout(self, shared: list[str]) -> dict[str, Any]:
        """Look at the copy of an old checkout."""
        return self._old_checkout(shared).examine()._asdict()

    def take_over_checkout(self, shared: list[str], name: str, message: str) -> dict[str, Any]:
        """Take over into the mirror what only the old checkout has."""
        from autoupdate.old_checkout import take_over

        return take_over(self.mirror, self._old_checkout(shared), name, message)

    def make_checkout(
        self, release: str, path: str, url: str, branch: str, shared: list[str]
    ) -> dict[str, Any]:
        """Make a plain checkout of a release, to be moved to a path."""
        from autoupdate.plain_checkout import make

        source, target = self.paths.release(release), f"{self.paths.leaving}/tree"
        return make(self.mirror, source, target, path, url, branch, tuple(shared))

    def _old_checkout(self, shared: list[str]) -> "OldCheckout":
        from autoupdate.old_checkout import OldCheckout

        return OldCheckout(self.paths.adopting, tuple(shared))

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
    return pass_on(words, directory, {**os.environ, **additions})


def try_out(words: Sequence[str], release: str) -> tuple[int, str]:
    """Run one command of a rehearsal, as `command` does, with a home of its own that is removed."""
    with tempfile.TemporaryDirectory() as home:
        environment = base_environment(home)
        environment["PATH"] = f"{release}/.venv/bin:{environment['PATH']}"
        environment["TMPDIR"] = home
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        return pass_on(words, release, environment)


def pass_on(words: Sequence[str], directory: str, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command; pass its output on line by line, and return its status and its output."""
    process = start(
        words,
        environment=environment,
        directory=directory,
        stderr=subprocess.STDOUT,
        own_session=False,
    )
    assert process.stdin is not None  # noqa: S101 - for the type checker: both are pipes
    assert process.stdout is not None  # noqa: S101
    process.stdin.close()
    lines: deque[str] = deque(maxlen=MOST_LINES)
    for raw in lines_of(process):
        line = raw.decode(errors="replace").rstrip()
        lines.append(line)
        if line:
            answer({"output": line})
    process.stdout.close()
    return process.wait(), "\n".join(lines)


def lines_of(process: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    """Yield what a process prints, line by line, until it has ended.

    What it leaves running must not keep us waiting by its hold on the output: it is ended.
    """
    assert process.stdout is not None  # noqa: S101 - for the type checker: a pipe
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(LOOK_EVERY):
                if process.poll() is None:
                    continue
                end_descendants()
                if not selector.select(LOOK_EVERY):
                    break
            chunk = os.read(process.stdout.fileno(), LONGEST_LINE)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) >= LONGEST_LINE:
                yield rest
                rest = b""
    if rest:
        yield rest


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
        except NotStartedError as error:
            answer({"failed": str(error), "advice": "", "kind": "UpdateFailedError"})
        except OSError as error:
            answer({"failed": describe(error), "advice": "", "kind": "HostFaultError"})
        else:
            answer({"done": done})


if __name__ == "__main__":
    # It led here; what is built must not see it.
    os.environ.pop("PYTHONPATH", None)
    become_subreaper()
    serve(Worker(AppPaths(home=sys.argv[1], run="")))
