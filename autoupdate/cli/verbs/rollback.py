"""autoupdatectl rollback"""

from argparse import Namespace

from autoupdate.app import App
from autoupdate.cli.output import complain, finish
from autoupdate.cli.prepare import prepare_run
from autoupdate.cli.signals import outlive_the_terminal
from autoupdate.config.load import apps
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.paths import Paths
from autoupdate.reports.show import PREVIOUS, find
from autoupdate.update.run import one_run


def rollback(paths: Paths, app: str, chosen: Namespace) -> int:
    """Roll back to the previous release, or switch to a named one."""
    refuse_unknown(paths, app)
    # What is deployed was deployed by the last valid settings, and so is what was before.
    prepared, fault = prepare_run(paths, app)
    if fault:
        complain(f"{fault.message}; the last valid settings are used", fault.advice)
    with outlive_the_terminal():
        wanted = named(prepared, chosen.release)
        outcome = one_run(prepared, wait=not chosen.no_wait, back_to=wanted)
    return finish(outcome, app, chosen)


def named(app: App, word: str) -> str:
    """Return the release that a word means; empty for the previous one.

    Of several releases of one commit, that is the newest. Raises ConfigurationError.
    """
    if word in ("", PREVIOUS) or app.records.release(word):
        return "" if word == PREVIOUS else word
    releases = app.records.releases()
    if len({item.commit for item in releases if item.commit.startswith(word.lower())}) == 1:
        return [item.id for item in releases if item.commit.startswith(word.lower())][-1]
    return find(releases, app.paths, word).id


def refuse_unknown(paths: Paths, word: str) -> None:
    """Raise ConfigurationError for an argument that is neither an app nor a release.

    It is not logged, as it belongs to no app.
    """
    known = apps(paths)
    if word not in known:
        raise ConfigurationError(
            f"{word} is neither an app nor a release",
            f"apps: {', '.join(known) or 'none'}; to list the releases of an app: "
            "autoupdatectl history APP",
        )
