"""autoupdatectl rollback"""

from argparse import Namespace

from autoupdate.cli.output import finish
from autoupdate.cli.prepare import prepare
from autoupdate.config.load import apps
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.paths import Paths
from autoupdate.update.run import one_run


def rollback(paths: Paths, app: str, chosen: Namespace) -> int:
    """Go back to another release."""
    refuse_unknown(paths, app)
    outcome = one_run(prepare(paths, app), wait=not chosen.no_wait, back_to=chosen.release)
    return finish(outcome, app, chosen)


def refuse_unknown(paths: Paths, word: str) -> None:
    """Raise ConfigurationError for a word that is neither the whole name of a release nor an app.

    Nothing is logged of it, as it belongs to no app.
    """
    known = apps(paths, lambda _: None)
    if word not in known:
        raise ConfigurationError(
            f"no app and no release here is called {word}",
            f"there are the apps {', '.join(known) or '(none)'}; "
            "their releases, with their whole names: autoupdatectl history APP",
        )
