"""autoupdatectl rebuild"""

from argparse import Namespace

from autoupdate.app import Outcome
from autoupdate.cli.output import finish
from autoupdate.cli.prepare import prepare
from autoupdate.cli.signals import outlive_the_terminal
from autoupdate.model.paths import Paths
from autoupdate.update.rebuild import rebuild_by_hand
from autoupdate.update.run import by_hand


def rebuild(paths: Paths, app: str, chosen: Namespace) -> int:
    """Build the deployed commit again, and switch to the new release."""
    ready = prepare(paths, app)

    def work() -> Outcome:
        return rebuild_by_hand(ready, newest=chosen.upgrade, force=chosen.force)

    with outlive_the_terminal():
        outcome = by_hand(ready, work, wait=not chosen.no_wait)
    return finish(outcome, app, chosen)
