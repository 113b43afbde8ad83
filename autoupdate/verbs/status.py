"""autoupdatectl status"""

from argparse import Namespace
from typing import Any

from autoupdate.config import apps, default_app, load
from autoupdate.errors import Exit
from autoupdate.output import show
from autoupdate.paths import Paths
from autoupdate.render.status import status as words
from autoupdate.services import Systemd
from autoupdate.status import status as gather


def status(paths: Paths, app: str, chosen: Namespace) -> int:
    """Tell where an app stands, or where each one does."""
    names = [app] if app else apps(paths) or [default_app(paths)]
    told = [facts(paths, name) for name in names]
    show(told[0] if len(told) == 1 else {"apps": told}, words, chosen)
    return Exit.DONE


def facts(paths: Paths, app: str) -> dict[str, Any]:
    """Gather what `status` shows."""
    return gather(load(paths, app), paths.app(app), Systemd())
