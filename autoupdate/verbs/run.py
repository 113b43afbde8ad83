"""autoupdatectl run"""

from argparse import Namespace

from autoupdate import session
from autoupdate.output import finish
from autoupdate.paths import Paths
from autoupdate.verbs.ready import ready


def run(paths: Paths, app: str, chosen: Namespace) -> int:
    """Bring in what upstream has."""
    outcome = session.run(ready(paths, app), wait=not chosen.no_wait, force=chosen.force)
    return finish(outcome, app, chosen)
