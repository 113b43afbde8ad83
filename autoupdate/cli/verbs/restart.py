"""autoupdatectl restart"""

from argparse import Namespace

from autoupdate.cli.output import complain, finish
from autoupdate.cli.prepare import prepare_run
from autoupdate.cli.signals import outlive_the_terminal
from autoupdate.model.paths import Paths
from autoupdate.update.by_hand import restart as restart_services
from autoupdate.update.run import by_hand


def restart(paths: Paths, app: str, chosen: Namespace) -> int:
    """Restart the services of an app without an update."""
    # What is deployed was deployed by the last valid settings.
    prepared, fault = prepare_run(paths, app)
    if fault:
        complain(f"{fault.message}; the last valid settings are used", fault.advice)
    with outlive_the_terminal():
        outcome = by_hand(prepared, lambda: restart_services(prepared), wait=False, is_run=False)
    return finish(outcome, app, chosen)
