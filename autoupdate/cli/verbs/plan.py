"""autoupdatectl plan"""

from argparse import Namespace
from typing import Any

from autoupdate.app import App
from autoupdate.cli.output import show
from autoupdate.cli.prepare import prepare
from autoupdate.cli.render.plan import plan as words
from autoupdate.config.load import load
from autoupdate.host import runtime_files
from autoupdate.host.links import linked_release
from autoupdate.model.changes import Changes
from autoupdate.model.errors import AutoupdateError, Exit
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
            told = facts(outlook)
            if told["environment"]:
                told["environment"] |= packages(prepared, outlook)
        finally:
            prepared.worker.close()
    show(told, words, chosen)
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


def packages(app: App, outlook: Outlook) -> dict[str, Any]:
    """Return which packages the build would change; nothing if it reuses an environment."""
    needed = outlook.environment
    if needed is None or needed.reused or not outlook.commit:
        return {"packages": None, "packages_unknown": None}
    deployed = app.records.release(linked_release(app.paths.current))
    try:
        expected = app.worker.expect(
            outlook.commit, deployed.environment if deployed else "", app.settings.build
        )
    except AutoupdateError as error:
        return {"packages": None, "packages_unknown": error.message}
    return {"packages": expected._asdict(), "packages_unknown": None}


def changes(found: Changes) -> dict[str, Any]:
    """Return the changes between two commits, as JSON has them."""
    return {
        **found._asdict(),
        "log": [
            {**entry._asdict(), "committed_at": write(entry.committed_at)} for entry in found.log
        ],
        "paths": [path._asdict() for path in found.paths],
    }
