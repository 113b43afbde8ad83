"""autoupdatectl adopt"""

import os
from argparse import Namespace

from autoupdate.adoption.adopt import adopt as take_over
from autoupdate.adoption.host_changes import real
from autoupdate.app import Outcome
from autoupdate.cli.output import finish
from autoupdate.cli.prepare import identity, prepare
from autoupdate.cli.printed_log import PrintedLog
from autoupdate.cli.signals import outlive_the_terminal
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.paths import Paths
from autoupdate.update.run import by_hand


def adopt(paths: Paths, app: str, chosen: Namespace) -> int:
    """Take over an existing checkout; its services run from releases afterwards."""
    path = absolute(chosen.path)
    prepared = prepare(paths, app)
    if not chosen.json:
        prepared = prepared._replace(log=PrintedLog(prepared.log))
    host = real(paths, identity(paths))

    def work() -> Outcome:
        return take_over(
            prepared, host, path, leave_commits=chosen.leave_commits, look_only=chosen.look
        )

    with outlive_the_terminal():
        outcome = by_hand(prepared, work)
    return finish(outcome, app, chosen)


def absolute(path: str) -> str:
    """Return an absolute path. Raises ConfigurationError if the working directory was removed."""
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: the working directory was removed", "cd /, and give the absolute path"
        ) from None
