"""autoupdatectl run"""

import sys
from argparse import Namespace

from autoupdate.app import Outcome
from autoupdate.cli.output import finish
from autoupdate.cli.prepare import prepare_run
from autoupdate.cli.signals import outlive_the_terminal
from autoupdate.host.log import Log, goes_to_journal
from autoupdate.model.paths import Paths
from autoupdate.update.run import one_run


def run(paths: Paths, app: str, chosen: Namespace) -> int:
    """Update to the newest upstream commit."""
    # The journal has the steps already.
    does = run_silently if chosen.json or goes_to_journal(2) else run_visibly
    with outlive_the_terminal():
        outcome = does(paths, app, chosen)
    return finish(outcome, app, chosen)


def run_silently(paths: Paths, app: str, chosen: Namespace) -> Outcome:
    """Run; the log has what happens."""
    prepared, refusal = prepare_run(paths, app)
    return one_run(prepared, wait=not chosen.no_wait, force=chosen.force, refusal=refusal)


def run_visibly(paths: Paths, app: str, chosen: Namespace) -> Outcome:
    """Run, and show each step: with bars on a terminal, elsewhere a line for each."""
    from autoupdate.cli.progress import Lines, Progress

    def around(log: Log) -> Progress:
        return Progress(log, None if sys.stderr.isatty() else Lines)

    prepared, refusal = prepare_run(paths, app, around)
    shown = prepared.log
    assert isinstance(shown, Progress)  # noqa: S101 - for the type checker: made here
    prepared.records.entered, prepared.worker.watched = shown.enter, shown.show
    try:
        return one_run(prepared, wait=not chosen.no_wait, force=chosen.force, refusal=refusal)
    finally:
        shown.close()
