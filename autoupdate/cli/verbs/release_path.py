"""autoupdatectl release-path"""

from argparse import Namespace

from autoupdate.adoption.give_back import release_path as give_back
from autoupdate.cli.output import finish
from autoupdate.cli.prepare import ready
from autoupdate.cli.printed_log import Aloud, outlive_the_terminal
from autoupdate.model.paths import Paths
from autoupdate.update.run import by_hand


def release_path(paths: Paths, app: str, chosen: Namespace) -> int:
    """Give a plain checkout back."""
    prepared = ready(paths, app)
    if not chosen.json:
        prepared = prepared._replace(log=Aloud(prepared.log))
    outlive_the_terminal()
    return finish(by_hand(prepared, lambda: give_back(prepared)), app, chosen)
