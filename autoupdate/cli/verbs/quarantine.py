"""autoupdatectl quarantine"""

from argparse import Namespace
from functools import partial

from autoupdate.assemble import assemble
from autoupdate.cli.output import print_json, show
from autoupdate.cli.prepare import require_root
from autoupdate.cli.render.history import quarantine as words
from autoupdate.cli.verbs.status import facts
from autoupdate.gates.quarantine import clear
from autoupdate.host import runtime_files
from autoupdate.host.clock import Clock
from autoupdate.host.process import builder
from autoupdate.model.commits import short
from autoupdate.model.errors import Exit
from autoupdate.model.paths import Paths


def quarantine(paths: Paths, app: str, chosen: Namespace) -> int:
    """Print the commits that failed here, or remove one so that it is tried again."""
    if not chosen.commit:
        show(facts(paths, app)["quarantine"], partial(words, now=Clock().now()), chosen)
        return Exit.DONE
    require_root(paths)
    assembled = assemble(paths, app, identity=builder())
    with runtime_files.exclusive(assembled.paths, app, wait=True):
        commit = clear(assembled, chosen.commit)
    if chosen.json:
        print_json({"app": app, "cleared": commit})
    else:
        print(f"{app}: the next run tries commit {short(commit)} again")
    return Exit.DONE
