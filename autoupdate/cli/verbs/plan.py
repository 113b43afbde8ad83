"""autoupdatectl plan"""

from argparse import Namespace
from typing import Any

from autoupdate.cli.output import show
from autoupdate.cli.prepare import prepare
from autoupdate.cli.render.plan import plan as words
from autoupdate.config.load import load
from autoupdate.host import runtime_files
from autoupdate.model.changes import Changes
from autoupdate.model.errors import Exit
from autoupdate.model.paths import Paths
from autoupdate.model.times import write
from autoupdate.reports.plan import Outlook
from autoupdate.reports.plan import plan as foretell


def plan(paths: Paths, app: str, chosen: Namespace) -> int:
    """Print what a run would do now."""
    load(paths, app)
    prepared = prepare(paths, app)
    with runtime_files.exclusive(prepared.paths, app, wait=False):
        try:
            outlook = foretell(prepared, force=chosen.force)
        finally:
            prepared.worker.close()
    show(facts(outlook), words, chosen)
    return Exit.DONE


def facts(outlook: Outlook) -> dict[str, Any]:
    """Return what `plan --json` prints."""
    environment = outlook.environment
    return {
        **outlook._asdict(),
        "gates": [verdict._asdict() for verdict in outlook.gates],
        "changes": changes(outlook.changes) if outlook.changes else None,
        "environment": environment._asdict() if environment else None,
    }


def changes(found: Changes) -> dict[str, Any]:
    """Return the changes between two commits, as JSON has them."""
    return {
        **found._asdict(),
        "log": [
            {**entry._asdict(), "committed_at": write(entry.committed_at)} for entry in found.log
        ],
        "paths": [path._asdict() for path in found.paths],
    }
