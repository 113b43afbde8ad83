"""Where this worker may write, and where a build may."""

import os
import resource
import tempfile

from autoupdate.model.paths import AppPaths
from autoupdate.worker.confinement import confine, hide
from autoupdate.worker.environment.environment import is_complete
from autoupdate.worker.packages.installer import CACHES


def of_build(paths: AppPaths, release: str) -> list[str]:
    """Return where the build of the release in a directory may write, besides its scratch space."""
    environments = paths.environments
    made = [f"{environments}/{key}" for key in os.listdir(environments)]
    # Other releases use the complete environments; an incomplete one belongs to this build.
    return [release, *caches(), *(path for path in made if not is_complete(path))]


def confine_worker(paths: AppPaths) -> None:
    """Limit where this worker can write: the app's directory, its own home, scratch space, caches.

    Its children inherit that; a build may write to less (commands.py).
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hide()
    home, scratch = os.environ["HOME"], tempfile.gettempdir()
    confine([paths.home, home, scratch, *caches()])


def caches() -> list[str]:
    """Return the cache directories of the installers; creates them if they are missing."""
    found = [os.environ[name] for name in CACHES if name in os.environ]
    for directory in found:
        os.makedirs(directory, exist_ok=True)
    return found
