"""Copies of shared files whose format depends on the code; a rollback restores them.

They are read and written as the services' user, so that root follows no link of that user's.
"""

import glob
import os
import shutil
from collections.abc import Callable, Sequence
from typing import Protocol

from autoupdate.host.process import Identity, NotStartedError, TimedOutError, base_environment, run
from autoupdate.model.errors import HostFaultError
from autoupdate.model.paths import AppPaths

COPY_LIMIT = 1800.0


class Snapshots(Protocol):
    """What an update needs done with shared files; `number` is that of the transaction."""

    def take(self, number: int, patterns: Sequence[str]) -> int:
        """Copy the files that match; return how many. Raises HostFaultError."""

    def restore(self, number: int) -> bool:
        """Restore the copies; return whether there were any. Raises HostFaultError."""

    def drop(self, number: int) -> None:
        """Delete the copies."""


class SharedSnapshots:
    """Archives by tar(1), one for each transaction."""

    def __init__(self, paths: AppPaths, user: Callable[[], Identity | None]) -> None:
        self.paths = paths
        self.user = user

    def take(self, number: int, patterns: Sequence[str]) -> int:
        """Copy the files that match; return how many. Raises HostFaultError."""
        shared = self.paths.shared
        found = [
            os.path.relpath(path, shared)
            for pattern in patterns
            for path in sorted(glob.glob(f"{glob.escape(shared)}/{pattern}"))
        ]
        # A run that died after the end of its transaction may have left its copies.
        shutil.rmtree(self.paths.snapshots, ignore_errors=True)
        if not found:
            return 0
        os.makedirs(self.paths.snapshots, mode=0o711, exist_ok=True)
        directory = self._directory(number)
        os.mkdir(directory, 0o700)
        user = self.user()
        if user:
            os.chown(directory, user.uid, user.gid)
        archive = f"{directory}/files.tar"
        self._tar(["--create", "--file", f"{archive}.new", "--directory", shared, "--", *found])
        self._tool(["sync", f"{archive}.new"])
        # Only a complete archive has this name.
        self._tool(["mv", "--", f"{archive}.new", archive])
        return len(found)

    def restore(self, number: int) -> bool:
        """Restore the copies; return whether there were any. Raises HostFaultError."""
        archive = f"{self._directory(number)}/files.tar"
        if not os.path.exists(archive):
            return False
        self._tar(["--extract", "--file", archive, "--directory", self.paths.shared,
                   "--unlink-first"])  # fmt: skip
        return True

    def drop(self, number: int) -> None:
        """Delete the copies."""
        shutil.rmtree(self._directory(number), ignore_errors=True)

    def _directory(self, number: int) -> str:
        return f"{self.paths.snapshots}/{number}"

    def _tar(self, arguments: Sequence[str]) -> None:
        self._tool(["tar", *arguments])

    def _tool(self, command: Sequence[str]) -> None:
        try:
            done = run(
                command,
                environment=base_environment("/nonexistent"),
                identity=self.user(),
                timeout=COPY_LIMIT,
            )
        except (NotStartedError, TimedOutError) as error:
            raise HostFaultError(f"shared files cannot be copied: {error}") from None
        if done.returncode:
            raise HostFaultError(f"shared files cannot be copied: {done.stderr.strip()}")
