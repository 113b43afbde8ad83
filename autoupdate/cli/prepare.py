"""What verbs that change something do first: check the rights, and load the app."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from autoupdate.app import App
from autoupdate.host.log import Log
from autoupdate.model.errors import AutoupdateError, NotPermittedError
from autoupdate.model.paths import Paths

if TYPE_CHECKING:
    from autoupdate.config.settings import Settings
    from autoupdate.host.process import Identity


def prepare(
    paths: Paths,
    app: str,
    around: Callable[[Log], Log] = lambda log: log,
    settings: "Settings | None" = None,
) -> App:
    """Load an app for a run. An error is also logged: without a terminal nobody would see it.

    `around` may wrap the host's log; `settings` replace those of the files.
    Raises NotPermittedError, and what `assemble` raises.
    """
    from autoupdate.assemble import assemble
    from autoupdate.host.log import HostLog
    from autoupdate.model.events import FAILED, Event

    require_root(paths)
    try:
        log = around(HostLog(paths.log))
        return assemble(paths, app, identity=identity(paths), log=log, settings=settings)
    except AutoupdateError as error:
        HostLog(paths.log).write(Event(FAILED, f"{app}: {error.message}", app))
        raise


def identity(paths: Paths) -> "Identity | None":
    """Return the user that upstream's code runs as; None for the caller.

    Below another root, as in tests, everything belongs to the caller.
    """
    from autoupdate.host.process import builder

    return None if paths.root else builder()


def may_change(paths: Paths) -> bool:
    """Return whether the caller may change anything; below another root everybody may."""
    return os.geteuid() == 0 or bool(paths.root)


def require_root(paths: Paths) -> None:
    """Raise NotPermittedError if the caller may not change anything."""
    if not may_change(paths):
        raise NotPermittedError("only root may do this", "try it with sudo")
