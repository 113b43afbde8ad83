"""autoupdatectl accept-rewrite"""

from argparse import Namespace

from autoupdate import runtime
from autoupdate.accept_rewrite import accept
from autoupdate.assemble import assemble, builder
from autoupdate.errors import Exit
from autoupdate.output import print_json
from autoupdate.paths import Paths
from autoupdate.verbs.ready import require_root


def accept_rewrite(paths: Paths, app: str, chosen: Namespace) -> int:
    """Let one commit in whose history is not that of before."""
    require_root(paths)
    assembled = assemble(paths, app, identity=builder())
    with runtime.exclusive(assembled.paths, app, wait=True):
        commit = accept(assembled, chosen.commit)
    if chosen.json:
        print_json({"app": app, "accepted": commit})
    else:
        print(f"{app}: commit {commit} may be taken by the next run, whatever its history is")
    return Exit.DONE
