"""What verbs that change something do first."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from autoupdate.app import App
from autoupdate.host.log import Log
from autoupdate.model.errors import AutoupdateError, NotPermittedError
from autoupdate.model.paths import Paths

if TYPE_CHECKING:
    from autoupdate.host.process import Identity


def prepare(paths: Paths, app: str, around: Callable[[Log], Log] = lambda log: log) -> App:
    """Make an app ready for a run; log why that is impossible, as nobody may see it otherwise.

    `around` may put another log around the host's.
    """
    from autoupdate.assemble import assemble
    from autoupdate.host.log import HostLog
    from autoupdate.model.events import FAILED, Event

    require_root(paths)
    try:
        log = around(HostLog(paths.log))
        return assemble(paths, app, identity=identity(paths), log=log)
    except AutoupdateError as error:
        HostLog(paths.log).write(Event(FAILED, f"{app}: {error.message}", app))
        raise


def identity(paths: Paths) -> "Identity | None":
    """Return the user that upstream's code runs as; None: whoever runs this.

    Below another root, such as a test's, everything belongs to whoever runs this.
    """
    from autoupdate.host.process import builder

    return None if paths.root else builder()


def may_change(paths: Paths) -> bool:
    """Tell whether the caller may change anything; below another root everybody may."""
    return os.geteuid() == 0 or bool(paths.root)


def require_root(paths: Paths) -> None:
    """Raise NotPermittedError for those who may not change anything."""
    if not may_change(paths):
        raise NotPermittedError("only root may do that", "try it with sudo")
