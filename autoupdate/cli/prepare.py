"""What verbs that change something do first: check the rights, and load the app."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from autoupdate.app import App
from autoupdate.host.log import Log
from autoupdate.model.errors import AutoupdateError, ConfigurationError, NotPermittedError
from autoupdate.model.paths import Paths

if TYPE_CHECKING:
    from autoupdate.config.sections import Settings
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
    from autoupdate.assemble import assemble, host_log

    require_root(paths)
    try:
        log = around(host_log(paths, app))
        return assemble(paths, app, identity=identity(paths), log=log, settings=settings)
    except AutoupdateError as error:
        log_failure(paths, app, error)
        raise


def prepare_run(
    paths: Paths, app: str, around: Callable[[Log], Log] = lambda log: log
) -> tuple[App, ConfigurationError | None]:
    """Load an app for a run, by its last valid settings if those of now cannot be used.

    Returns why not: such a run only finishes or undoes what was interrupted.
    """
    from autoupdate.assemble import assemble, host_log
    from autoupdate.config import last_valid
    from autoupdate.config.load import check_name
    from autoupdate.config.renamed import RenamedError, UnfinishedRenameError

    require_root(paths)
    log = around(host_log(paths, app))
    try:
        return assemble(paths, app, identity=identity(paths), log=log), None
    except (RenamedError, UnfinishedRenameError) as error:
        # Nothing was interrupted that a run by this name may end.
        log_failure(paths, app, error)
        raise
    except ConfigurationError as error:
        check_name(app)
        kept = last_valid.read(paths.app(app).last_valid, app)
        if kept is None:
            log_failure(paths, app, error)
            raise
        return assemble(paths, app, identity=identity(paths), log=log, settings=kept), error
    except AutoupdateError as error:
        log_failure(paths, app, error)
        raise


def log_failure(paths: Paths, app: str, error: AutoupdateError) -> None:
    """Log why no run began."""
    from autoupdate.host.log import HostLog
    from autoupdate.model.events import FAILED, Event

    HostLog(paths.log).write(Event(FAILED, f"{app}: {error.message}", app))


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
