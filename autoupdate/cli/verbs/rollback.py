"""autoupdatectl rollback"""

from argparse import Namespace

from autoupdate.cli.output import complain, finish
from autoupdate.cli.prepare import prepare_run
from autoupdate.cli.signals import outlive_the_terminal
from autoupdate.config.load import apps
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.paths import Paths
from autoupdate.update.run import one_run


def rollback(paths: Paths, app: str, chosen: Namespace) -> int:
    """Roll back to the previous release, or switch to a named one."""
    refuse_unknown(paths, app)
    # What is deployed was deployed by the last valid settings, and so is what was before.
    prepared, fault = prepare_run(paths, app)
    if fault:
        complain(f"{fault.message}; the last valid settings are used", fault.advice)
    with outlive_the_terminal():
        outcome = one_run(prepared, wait=not chosen.no_wait, back_to=chosen.release)
    return finish(outcome, app, chosen)


def refuse_unknown(paths: Paths, word: str) -> None:
    """Raise ConfigurationError for an argument that is neither an app nor the full release name.

    It is not logged, as it belongs to no app.
    """
    known = apps(paths)
    if word not in known:
        raise ConfigurationError(
            f"{word} is neither an app nor the full name of a release",
            f"apps: {', '.join(known) or 'none'}; to list the releases of an app: "
            "autoupdatectl history --json APP",
        )
