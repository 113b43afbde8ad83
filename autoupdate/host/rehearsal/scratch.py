"""The directory that rehearsed services use in place of the app's own; removed afterwards.

`view` takes the place of the app's directory in the sandbox: its `current` leads to the release
that is rehearsed. `shared` takes the place of the shared paths.
"""

import os
import shutil
from contextlib import suppress

from autoupdate.config.sections import Rehearse
from autoupdate.host.limits import LEAST_SPACE, free_space
from autoupdate.host.process import (
    Identity,
    NotStartedError,
    TimedOutError,
    base_environment,
    run,
)
from autoupdate.model.paths import AppPaths

# As the shared paths have it.
OPEN = 0o755
STICKY = 0o1777
# In seconds.
COPY_LIMIT = 120.0


class Scratch:
    """The paths of one rehearsal of a release."""

    def __init__(self, paths: AppPaths, release: str) -> None:
        self.paths = paths
        self.release = release

    @property
    def view(self) -> str:
        """What takes the place of the app's directory."""
        return f"{self.paths.rehearsal}/view"

    @property
    def shared(self) -> str:
        """What takes the place of the shared paths."""
        return f"{self.paths.rehearsal}/shared"

    @property
    def probes(self) -> str:
        """Questions for probes, and their answers."""
        return f"{self.paths.rehearsal}/probes"

    @property
    def run(self) -> str:
        """What takes the place of /run."""
        return self.above("/run")

    @property
    def memory(self) -> str:
        """What takes the place of /dev/shm."""
        return f"{self.paths.rehearsal}/memory"

    def above(self, directory: str) -> str:
        """Return what has the private directories that a unit would have in a directory."""
        return f"{self.paths.rehearsal}/directories{directory}"

    def add(self, directory: str, name: str, mode: int, uid: int, gid: int) -> str:
        """Make a private directory; return where it is. Nothing runs yet that could touch it."""
        place = f"{self.above(directory)}/{name}"
        os.makedirs(place, OPEN, exist_ok=True)
        os.chown(place, uid, gid)
        os.chmod(place, mode)
        return place

    def make(self, names: tuple[str, ...], settings: Rehearse, user: Identity | None) -> str:
        """Make all directories; return what is not as it will be after the switch, or ""."""
        remove(self.paths)
        releases, shared = f"{self.view}/releases", f"{self.view}/shared"
        place = f"{releases}/{self.release}"
        for directory in (self.paths.rehearsal, self.view, releases, place, shared, self.probes):
            os.mkdir(directory, OPEN)
        # As the host has them.
        for directory in (f"{self.run}/lock", self.memory):
            os.makedirs(directory, OPEN)
            os.chmod(directory, STICKY)
        os.chmod(self.probes, 0o700)
        os.symlink(f"releases/{self.release}", f"{self.view}/current")
        os.mkdir(self.shared, 0o700)
        if user:
            os.chown(self.shared, user.uid, user.gid)
        fault = self.copy_shared(names, settings, user)
        os.chmod(self.shared, OPEN)
        return fault

    def copy_shared(self, names: tuple[str, ...], settings: Rehearse, user: Identity | None) -> str:
        """Copy the shared paths as the services' user; return why they are empty, or ""."""
        source = self.paths.shared
        if not names or not os.path.isdir(source):
            return ""
        fault = ""
        if settings.shared == "copy":
            fault = self.why_too_large(source, settings.shared_max, user)
            if not fault:
                # As cp(1) does it, blocks are shared where the file system can.
                fault = _tool(["cp", "--archive", "--reflink=auto", "--no-target-directory", "--",
                               source, self.shared], user)  # fmt: skip
                # They would name processes that run in production.
                _tool(["find", self.shared, "-xdev", "-name", "*.pid", "-delete"], user)
                return f"the shared paths could not be copied completely: {fault}" if fault else ""
        for name in names:
            _make_empty(f"{source}/{name}", f"{self.shared}/{name}", user)
        return fault

    def why_too_large(self, source: str, most: int, user: Identity | None) -> str:
        """Return why shared paths are not copied because of their size, or ""."""
        done = _run(["du", "--summarize", "--block-size=1", "--", source], user)
        if isinstance(done, str):
            return f"the shared paths could not be measured: {done}"
        number = done.partition(b"\t")[0]
        size = int(number) if number.isdigit() else most + 1
        if size > most:
            return "the shared paths are empty in it, as they are larger than rehearse.shared_max"
        if size + LEAST_SPACE > free_space(self.paths.home):
            return "the shared paths are empty in it, as there is no space for a copy"
        return ""

    def moved(self, place: str) -> str:
        """Return where a path of the host is while it is rehearsed, as systemd itself sees it."""
        real = os.path.realpath(place)
        deployed, shared = (os.path.realpath(it) for it in (self.paths.current, self.paths.shared))
        for old, new in (
            (deployed, self.paths.release(self.release)),
            (shared, self.shared),
        ):
            if real == old or real.startswith(f"{old}/"):
                return new + real[len(old) :]
        return place


def remove(paths: AppPaths) -> bool:
    """Remove what a rehearsal used; return whether there was anything."""
    if not os.path.lexists(paths.rehearsal):
        return False
    shutil.rmtree(paths.rehearsal)
    return True


def _make_empty(like: str, place: str, user: Identity | None) -> None:
    """Make an empty directory, or an empty file, like another path."""
    if os.path.isfile(like):
        _tool(["install", "-D", "/dev/null", place], user)
    else:
        _tool(["mkdir", "--parents", "--", place], user)


def _tool(command: list[str], user: Identity | None) -> str:
    """Run a command as a user; return why it failed, or ""."""
    done = _run(command, user)
    return done if isinstance(done, str) else ""


def _run(command: list[str], user: Identity | None) -> bytes | str:
    """Run a command as a user; return its output, or why it failed."""
    with suppress(NotStartedError):
        try:
            done = run(command, environment=base_environment("/nonexistent"), identity=user,
                       timeout=COPY_LIMIT)  # fmt: skip
        except TimedOutError as error:
            return str(error)
        if done.returncode and not done.stdout:
            lines = done.stderr.strip().splitlines()
            return lines[-1] if lines else f"{command[0]} failed"
        return done.stdout
    return f"{command[0]} is missing"
