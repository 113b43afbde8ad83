"""adopt --look: says what an adoption would find, and changes nothing on the host.

The mirror, the copy of the checkout and the state that it needs are made in a scratch directory,
which is removed at the end. Those of the app, if there are any, are only read.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from autoupdate.adoption.adopt import inspect
from autoupdate.adoption.host_changes import HostChanges
from autoupdate.app import App, Outcome
from autoupdate.model.errors import ConfigurationError, Exit
from autoupdate.model.paths import AppPaths, Paths
from autoupdate.model.steps import Result
from autoupdate.worker.removal import remove_tree


class ScratchPaths(Paths):
    """The paths of the host, with apps in another directory."""

    def __init__(self, root: str, directory: str) -> None:
        super().__init__(root)
        self.directory = directory

    def app(self, name: str) -> AppPaths:
        """Return the paths of one app."""
        return AppPaths(f"{self.directory}/state/{name}", f"{self.directory}/run/{name}")


@contextmanager
def scratch(paths: Paths) -> Iterator[Paths]:
    """Yield paths whose apps are in a new directory; remove that in the end."""
    # Usually on the same disk as /var/lib, so that there is space for a copy, or is not.
    above = f"{paths.root}/var/tmp"  # noqa: S108 - mkdtemp makes it safe
    os.makedirs(above, exist_ok=True)
    directory = tempfile.mkdtemp(dir=above, prefix="autoupdate-look-")
    try:
        # The builds' user works below it.
        os.chmod(directory, 0o711)  # noqa: S103
        yield ScratchPaths(paths.root, directory)
    finally:
        remove_tree(directory)


def look(app: App, host: HostChanges, path: str, *, leave_commits: bool) -> Outcome:
    """Report about the checkout at a path; the app has the paths of `scratch`.

    Raises ConfigurationError if it cannot be adopted as it is.
    """
    real = host.paths.app(app.name)
    if os.path.lexists(real.relocation):
        raise ConfigurationError(
            f"{app.name}: an adoption or its return was interrupted, and is not undone yet",
            f"autoupdatectl run {app.name}",
        )
    found = inspect(app, host, path, leave_commits=leave_commits, look_only=True)
    reason = f"{app.name}: {path} can be adopted; nothing was changed"
    return Outcome(Result.CURRENT, Exit.DONE, reason, found.taken.base)
