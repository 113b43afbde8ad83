"""autoupdatectl accept-rewrite"""

from argparse import Namespace

from autoupdate.cli.output import tell
from autoupdate.cli.prepare import prepare
from autoupdate.config.load import load
from autoupdate.gates.accept_rewrite import accept
from autoupdate.model.errors import Exit
from autoupdate.model.events import STEERED
from autoupdate.model.paths import Paths


def accept_rewrite(paths: Paths, app: str, chosen: Namespace) -> int:
    """Let one commit in whose history is not that of before."""
    load(paths, app)
    steered = prepare(paths, app)
    # Not under the lock of the app: an update that is under way must not be waited for.
    commit = accept(steered, chosen.commit)
    steered.tell(STEERED, f"{app}: commit {commit} is accepted in spite of its history",
                 commit=commit)  # fmt: skip
    tell(
        {"app": app, "accepted": commit},
        f"{app}: commit {commit} may be taken once, whatever its history is\n"
        f"  to take it now: autoupdatectl run {app}",
        chosen,
    )
    return Exit.DONE
