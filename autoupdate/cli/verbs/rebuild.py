"""autoupdatectl rebuild, restart: the deployed commit again, with or without a build"""

from argparse import Namespace

from autoupdate.app import Outcome
from autoupdate.cli.output import complain, finish
from autoupdate.cli.prepare import prepare, prepare_run
from autoupdate.cli.signals import outlive_the_terminal
from autoupdate.model.paths import Paths
from autoupdate.update.by_hand import restart as restart_services
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


def restart(paths: Paths, app: str, chosen: Namespace) -> int:
    """Restart the services of an app without an update."""
    # What is deployed was deployed by the last valid settings.
    prepared, fault = prepare_run(paths, app)
    if fault:
        complain(f"{fault.message}; the last valid settings are used", fault.advice)
    with outlive_the_terminal():
        outcome = by_hand(prepared, lambda: restart_services(prepared), wait=False, is_run=False)
    return finish(outcome, app, chosen)
