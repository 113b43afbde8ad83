"""autoupdatectl history"""

from argparse import Namespace

from autoupdate import render
from autoupdate.config import load
from autoupdate.errors import Exit
from autoupdate.output import show
from autoupdate.paths import Paths
from autoupdate.status import history as entries


def history(paths: Paths, app: str, chosen: Namespace) -> int:
    """List past updates."""
    load(paths, app)
    show(entries(paths.app(app), chosen.limit), render.history, chosen)
    return Exit.DONE
