"""autoupdatectl release-path"""

from argparse import Namespace

from autoupdate.adoption.give_back import give_back
from autoupdate.adoption.host_changes import real
from autoupdate.cli.output import finish
from autoupdate.cli.prepare import identity, prepare
from autoupdate.cli.printed_log import PrintedLog
from autoupdate.cli.signals import outlive_the_terminal
from autoupdate.model.paths import Paths
from autoupdate.update.run import by_hand


def release_path(paths: Paths, app: str, chosen: Namespace) -> int:
    """Replace the managed path by a plain checkout, and stop managing it."""
    prepared = prepare(paths, app)
    if not chosen.json:
        prepared = prepared._replace(log=PrintedLog(prepared.log))
    host = real(paths, identity(paths))
    with outlive_the_terminal():
        outcome = by_hand(prepared, lambda: give_back(prepared, host))
    return finish(outcome, app, chosen)
