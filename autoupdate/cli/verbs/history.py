"""autoupdatectl history"""

from argparse import Namespace
from functools import partial

from autoupdate.cli import moments
from autoupdate.cli.output import show
from autoupdate.cli.render.history import history as words
from autoupdate.config.load import load
from autoupdate.host.clock import Clock
from autoupdate.model.errors import ConfigurationError, Exit
from autoupdate.model.paths import Paths
from autoupdate.model.times import seconds
from autoupdate.reports.history import history as entries


def history(paths: Paths, app: str, chosen: Namespace) -> int:
    """Print past updates, newest first."""
    load(paths, app)
    results = [result for some in chosen.result for result in some]
    found = entries(paths.app(app), chosen.limit, results, begin(chosen.since))
    show(found, partial(words, now=Clock().now()), chosen)
    return Exit.DONE


def begin(since: str | None) -> str:
    """Return the time of the oldest entry to print; empty for all.

    Raises ConfigurationError if `since` is not a time.
    """
    try:
        return moments.read(since, seconds(Clock().now()), direction=-1) if since else ""
    except ValueError as error:
        raise ConfigurationError(f"--since: {error}") from None
