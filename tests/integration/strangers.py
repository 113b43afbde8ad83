"""A host whose builds run as a user of their own, as on a real host; the tests must be root."""

import os
import shutil
from pathlib import Path

from autoupdate.app import App
from autoupdate.assemble import assemble, reach
from autoupdate.host.process import Identity
from autoupdate.upstream.git_environment import git_environment
from autoupdate.worker import link
from autoupdate.worker.client import WorkerProcess
from autoupdate.worker.packages.installer import cache_environment
from tests.integration.site import APP, NoServices, NoTransientUnits, Site

# Numbers that no user of a host has; the second one stands for the services' user.
BUILDER = Identity("builder", 61_000, 61_000)
OTHER = Identity("other", 61_001, 61_001)


class StrangeSite(Site):
    """A site where everything of the builds belongs to another user."""

    library = ""
    """A copy of this package that the other user can read."""

    def app(self) -> App:
        """Assemble the app as on a host, without service manager and journal."""
        ready = assemble(self.paths, APP, identity=BUILDER)
        environment = git_environment(self.paths.cache) | cache_environment(self.paths.cache)
        worker = WorkerProcess(
            self.app_paths, BUILDER, environment, self.keep,
            access=lambda: reach(ready.settings.upstream, self.app_paths.run, BUILDER),
            most=ready.settings.guard.max_fetch,
        )  # fmt: skip
        return ready._replace(
            host=ready.host._replace(services=NoServices(), transient_units=NoTransientUnits()),
            worker=worker,
            log=self.log,
        )

    def git(self, *arguments: str) -> str:
        """Run git in the mirror, which belongs to another user."""
        return super().git("-c", f"safe.directory={self.app_paths.mirror}", *arguments)

    def updates_to(self, commit: str, *, force: bool = False) -> bool:
        """Do one run; return whether it deployed a commit."""
        outcome = self.run(force=force)
        return outcome.commit == commit and outcome.exit_code == 0


def library_for_all(directory: Path) -> str:
    """Copy this package to where another user can read it; return the directory."""
    library = directory / "library"
    shutil.copytree(f"{link.LIBRARY}/autoupdate", library / "autoupdate")
    return str(library)


def open_to_all(directory: Path) -> None:
    """Let other users into a directory, and give them the cache."""
    for place in (directory, *directory.parents):
        if place.stat().st_mode & 0o005 != 0o005:
            place.chmod(place.stat().st_mode | 0o055)
    os.chown(directory / "cache", BUILDER.uid, BUILDER.gid)
