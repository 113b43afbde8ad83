"""The changes that adoption makes outside of our own directories, and how they are undone.

A run that finds an interrupted adoption may be confined by its unit. Then systemd starts this
module, which undoes the changes in the journal.
"""

import errno
import os
import shutil
import sys
from collections.abc import Callable
from typing import NamedTuple

from autoupdate.adoption import disable_old_updaters, relocation
from autoupdate.adoption.manifest import manifest
from autoupdate.adoption.old_updaters import OldUpdater
from autoupdate.adoption.relocation import Copy, Journal
from autoupdate.host.log import say
from autoupdate.host.process import Identity, NotStartedError, TimedOutError, base_environment, run
from autoupdate.host.processes import Process, processes_in
from autoupdate.host.services import Systemd, Units
from autoupdate.model.errors import AutoupdateError, BrokenError, HostFaultError
from autoupdate.model.paths import AppPaths, Paths
from autoupdate.worker.link import LIBRARY

# Shared data may be large; it is copied only between two file systems.
COPY_LIMIT = 4 * 3600.0
PUT_BACK_LIMIT = 600.0


class HostChanges(NamedTuple):
    """The paths of the host, and the effects that adoption has on it."""

    paths: Paths
    units: Units
    copy: Copy
    put_back: Callable[[Paths, AppPaths, Journal], None]
    processes_in: Callable[[str], list[Process]]
    builder: Identity | None


def real(paths: Paths, builder: Identity | None) -> HostChanges:
    """Return the effects of this host."""
    return HostChanges(paths, Systemd(), copy_whole, put_back, processes_in, builder)


def copy_whole(source: str, target: str) -> None:
    """Copy with owners, modes, times and links, and compare byte for byte (cp(1)).

    What an interrupted copy left at the target is removed first. Raises HostFaultError.
    """
    environment = base_environment("/root")
    before = manifest(source)
    commands = (
        ["rm", "--recursive", "--force", "--one-file-system", "--", target],
        ["cp", "--archive", "--no-target-directory", "--", source, target],
        ["sync", "--file-system", "--", os.path.dirname(target)],
    )
    for command in commands:
        try:
            done = run(command, environment=environment, timeout=COPY_LIMIT)
        except (NotStartedError, TimedOutError) as error:
            raise HostFaultError(f"{source} cannot be copied: {error}") from None
        if done.returncode:
            raise HostFaultError(f"{source} cannot be copied: {done.stderr.strip()}")
    if not before == manifest(target) == manifest(source):
        raise HostFaultError(
            f"{source} changed while it was copied", "stop the processes that write there"
        )


def undo(paths: Paths, journal: Journal) -> None:
    """Undo the moves of a journal, and what was disabled. Raises BrokenError, OSError."""
    for move in reversed(journal.moves):
        relocation.undo(move, journal.stamp)
    disable_old_updaters.restore_files(paths, found(journal))
    copied = any(move.do == relocation.COPY for move in journal.moves)
    if journal.verb == relocation.RELEASE_PATH and not copied and os.path.isdir(journal.kept):
        # What the services wrote there was moved back. A copy is kept: it may have newer data.
        shutil.rmtree(journal.kept)
    if not relocation.exists(journal.path):
        raise FileNotFoundError(errno.ENOENT, "it is not visible to this process", journal.path)


def found(journal: Journal) -> list[OldUpdater]:
    """Return the old updaters in a journal."""
    return [OldUpdater(*item) for item in journal.legacy]


def put_back(paths: Paths, app: AppPaths, journal: Journal) -> None:
    """Undo the changes; where this process is confined, systemd does it. Raises BrokenError."""
    try:
        undo(paths, journal)
    except OSError as error:
        module = [
            "/usr/bin/python3",
            "-sP",
            "-m",
            "autoupdate.adoption.host_changes",
            app.home,
            app.run,
        ]
        started = ["systemd-run", "--quiet", "--wait", "--collect", "--pipe"]
        command = [*started, f"--setenv=PYTHONPATH={LIBRARY}", "--", *module]
        try:
            done = run(command, environment=base_environment("/root"), timeout=PUT_BACK_LIMIT)
        except (NotStartedError, TimedOutError) as failure:
            raise _stuck(app, f"{error}; {failure}") from None
        if done.returncode:
            raise _stuck(app, done.stderr.strip() or str(error)) from None


def _stuck(app: AppPaths, reason: str) -> BrokenError:
    return BrokenError(
        f"the changes listed in {app.relocation} cannot be undone: {reason}",
        "fix that, then type: autoupdatectl run",
    )


def main(arguments: list[str]) -> int:
    """Undo the changes in the journal of an app. Arguments: HOME RUN."""
    app = AppPaths(*arguments)
    try:
        journal = relocation.read(app)
        if journal and not journal.confirmed:
            undo(Paths(), journal)
    except AutoupdateError as error:
        say(f"{error.message}; {error.advice}")
        return error.exit_code
    except OSError as error:
        say(f"{error.filename}: {error.strerror}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
