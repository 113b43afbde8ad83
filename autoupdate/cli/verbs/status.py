"""autoupdatectl status"""

from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from typing import Any

from autoupdate.cli.output import complain, show
from autoupdate.cli.render.status import status as words
from autoupdate.config import last_valid
from autoupdate.config.load import apps, default_app, is_name, load
from autoupdate.config.renamed import RenamedError, new_name
from autoupdate.config.run_from import located
from autoupdate.host.clock import Clock
from autoupdate.host.services import Systemd
from autoupdate.model.errors import AutoupdateError, ConfigurationError, Exit
from autoupdate.model.paths import Paths
from autoupdate.reports.status import status as gather


def status(paths: Paths, app: str, chosen: Namespace) -> int:
    """Print the state of one app, or of every app."""
    in_words = partial(words, now=Clock().now())
    names = [app] if app else apps(paths) or [default_app(paths)]
    no_faults: list[tuple[str, AutoupdateError]] = []
    alone = len(names) == 1
    told, faults = ([facts(paths, names[0])], no_faults) if alone else facts_of_all(paths, names)
    if told or chosen.json:
        show(told[0] if alone else {"apps": told}, in_words, chosen)
    for one in told:
        if fault := one["settings_fault"]:
            faults.append((one["app"], ConfigurationError(**fault)))
    for name, error in faults:
        complain(f"{name}: {error.message}", error.advice)
    return Exit.USAGE if faults else Exit.DONE


def facts_of_all(
    paths: Paths, names: Sequence[str]
) -> tuple[list[dict[str, Any]], list[tuple[str, AutoupdateError]]]:
    """Gather the facts of several apps; an app without any does not hide the others."""
    told: list[dict[str, Any]] = []
    faults: list[tuple[str, AutoupdateError]] = []
    for name in names:
        try:
            told.append(facts(paths, name))
        except AutoupdateError as error:
            faults.append((name, error))
    return told, faults


def facts(paths: Paths, app: str) -> dict[str, Any]:
    """Gather what `status` shows, by the last valid settings if those of now cannot be used."""
    services, place = Systemd(), paths.app(app)
    try:
        settings = located(load(paths, app), services.directives, place)
        return gather(settings, place, services)
    except RenamedError:
        raise
    except ConfigurationError as error:
        # During a rename, the app has both names.
        app = new_name(place) or app
        kept = last_valid.read(paths.app(app).last_valid, app) if is_name(app) else None
        if kept is None:
            raise
        fault = {"message": error.message, "advice": error.advice}
        kept = located(kept, services.directives, paths.app(app))
        return gather(kept, paths.app(app), services) | {"settings_fault": fault}
