"""autoupdatectl accept-rewrite"""

from argparse import Namespace

from autoupdate.cli.output import tell
from autoupdate.cli.prepare import prepare
from autoupdate.config.load import load
from autoupdate.gates.accept_rewrite import accept
from autoupdate.model.commits import short
from autoupdate.model.errors import Exit
from autoupdate.model.events import STEERED
from autoupdate.model.paths import Paths


def accept_rewrite(paths: Paths, app: str, chosen: Namespace) -> int:
    """Accept one commit that does not descend from the deployed one, or whose tag was moved."""
    load(paths, app)
    steered = prepare(paths, app)
    # Without the app's lock, so that it does not wait for a running update.
    try:
        commit = accept(steered, chosen.commit)
    finally:
        steered.worker.close()
    steered.tell(STEERED, f"{app}: commit {short(commit)} is accepted, whatever its history is",
                 commit=commit)  # fmt: skip
    tell(
        {"app": app, "accepted": commit},
        f"{app}: commit {short(commit)} may be deployed once, whatever its history is\n"
        f"  to deploy it now: autoupdatectl run {app}",
        chosen,
    )
    return Exit.DONE
