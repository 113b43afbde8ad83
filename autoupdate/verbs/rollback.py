"""autoupdatectl rollback"""

from argparse import Namespace

from autoupdate import session
from autoupdate.output import finish
from autoupdate.paths import Paths
from autoupdate.verbs.ready import ready


def rollback(paths: Paths, app: str, chosen: Namespace) -> int:
    """Go back to another release."""
    outcome = session.run(ready(paths, app), wait=not chosen.no_wait, back_to=chosen.release)
    return finish(outcome, app, chosen)
