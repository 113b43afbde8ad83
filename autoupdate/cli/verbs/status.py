"""autoupdatectl status"""

from argparse import Namespace
from functools import partial
from typing import Any

from autoupdate.cli.output import complain, show
from autoupdate.cli.render.status import status as words
from autoupdate.config.load import apps, default_app, load
from autoupdate.config.run_from import located
from autoupdate.host.clock import Clock
from autoupdate.host.services import Systemd
from autoupdate.model.errors import AutoupdateError, Exit
from autoupdate.model.paths import Paths
from autoupdate.reports.status import status as gather


def status(paths: Paths, app: str, chosen: Namespace) -> int:
    """Print the state of one app, or of every app."""
    in_words = partial(words, now=Clock().now())
    names = [app] if app else apps(paths) or [default_app(paths)]
    if len(names) == 1:
        show(facts(paths, names[0]), in_words, chosen)
        return Exit.DONE
    told, faults = [], []
    for name in names:
        try:
            told.append(facts(paths, name))
        except AutoupdateError as error:
            # It must not hide the other apps.
            faults.append((name, error))
    if told or chosen.json:
        show({"apps": told}, in_words, chosen)
    for name, fault in faults:
        complain(f"{name}: {fault.message}", fault.advice)
    return Exit.USAGE if faults else Exit.DONE


def facts(paths: Paths, app: str) -> dict[str, Any]:
    """Gather what `status` shows."""
    services = Systemd()
    settings = located(load(paths, app), services.directives, paths.app(app))
    return gather(settings, paths.app(app), services)
