"""autoupdate-confirm@.service: the probation of a release whose services start after the run."""

import os
import sys

from autoupdate.app import App
from autoupdate.assemble import assemble
from autoupdate.host import runtime_files
from autoupdate.host.log import say
from autoupdate.host.process import UMASK, builder
from autoupdate.model.errors import AutoupdateError, Exit
from autoupdate.model.paths import Paths
from autoupdate.model.steps import Step
from autoupdate.update.recover import resume
from autoupdate.update.run import remember


def confirm(app: App) -> Exit:
    """Watch the release on probation, if there is one; confirm it or roll back."""
    with runtime_files.exclusive(app.paths, app.name, wait=True):
        transaction = app.records.unfinished()
        if transaction is None or transaction.step != Step.PROBATION:
            return Exit.DONE
        started = app.clock.now()
        try:
            with runtime_files.activating(app.paths):
                outcome = resume(app, transaction)
        finally:
            app.worker.close()
        remember(app, outcome, started)
        if outcome.exit_code != Exit.DONE:
            runtime_files.set_stale(app.paths)
        return outcome.exit_code


def main(arguments: list[str], paths: Paths | None = None) -> int:
    """Run the probation for one app."""
    os.umask(UMASK)
    try:
        return confirm(assemble(paths or Paths(), arguments[0], identity=builder()))
    except AutoupdateError as error:
        say(f"autoupdate: {error.message}")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
