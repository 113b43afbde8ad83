"""autoupdatectl run"""

import sys
from argparse import Namespace

from autoupdate.app import Outcome
from autoupdate.cli.output import finish
from autoupdate.cli.prepare import prepare_run
from autoupdate.cli.signals import outlive_the_terminal
from autoupdate.model.paths import Paths
from autoupdate.update.run import one_run


def run(paths: Paths, app: str, chosen: Namespace) -> int:
    """Update to the newest upstream commit."""
    does = run_visibly if sys.stderr.isatty() and not chosen.json else run_silently
    with outlive_the_terminal():
        outcome = does(paths, app, chosen)
    return finish(outcome, app, chosen)


def run_silently(paths: Paths, app: str, chosen: Namespace) -> Outcome:
    """Run; the log has what happens."""
    prepared, refusal = prepare_run(paths, app)
    return one_run(prepared, wait=not chosen.no_wait, force=chosen.force, refusal=refusal)


def run_visibly(paths: Paths, app: str, chosen: Namespace) -> Outcome:
    """Run, and show each step on the terminal."""
    from autoupdate.cli.progress import Progress

    prepared, refusal = prepare_run(paths, app, Progress)
    shown = prepared.log
    assert isinstance(shown, Progress)  # noqa: S101 - for the type checker: made here
    prepared.records.entered, prepared.worker.watched = shown.enter, shown.show
    try:
        return one_run(prepared, wait=not chosen.no_wait, force=chosen.force, refusal=refusal)
    finally:
        shown.close()
