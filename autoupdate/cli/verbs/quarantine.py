"""autoupdatectl quarantine"""

from argparse import Namespace
from functools import partial

from autoupdate.cli.output import show, tell
from autoupdate.cli.prepare import prepare
from autoupdate.cli.render.history import cleared as words_of_cleared
from autoupdate.cli.render.history import quarantine as words
from autoupdate.cli.verbs.status import facts
from autoupdate.gates.quarantine import clear, clear_all
from autoupdate.host import runtime_files
from autoupdate.host.clock import Clock
from autoupdate.model.commits import short
from autoupdate.model.errors import Exit
from autoupdate.model.paths import Paths


def quarantine(paths: Paths, app: str, chosen: Namespace) -> int:
    """Print the commits that failed here, or remove one so that it is tried again."""
    if not chosen.commit and not chosen.all:
        show(facts(paths, app)["quarantine"], partial(words, now=Clock().now()), chosen)
        return Exit.DONE
    assembled = prepare(paths, app)
    with runtime_files.exclusive(assembled.paths, app, wait=True):
        if chosen.all:
            cleared = clear_all(assembled)
            tell({"app": app, "cleared": cleared}, words_of_cleared(app, cleared), chosen)
        else:
            commit = clear(assembled, chosen.commit)
            told = {"app": app, "cleared": commit}
            tell(told, f"{app}: the next run tries commit {short(commit)} again", chosen)
    return Exit.DONE
