"""autoupdate-confirm@.service: finishes what a run switched and cannot finish itself.

That is a probation of services that start after the run, and what a signal interrupted.
"""

import os
import sys

from autoupdate.app import App, Outcome
from autoupdate.assemble import assemble
from autoupdate.config import last_valid
from autoupdate.host import runtime_files
from autoupdate.host.links import linked_release
from autoupdate.host.log import say
from autoupdate.host.process import UMASK, builder
from autoupdate.model.errors import AutoupdateError, ConfigurationError, Exit
from autoupdate.model.paths import Paths
from autoupdate.model.steps import Result, Step
from autoupdate.records.rows import Transaction
from autoupdate.update.recover import end, resume
from autoupdate.update.retention import clear_away
from autoupdate.update.run import SWITCHING, remember


def confirm(app: App) -> Exit:
    """Watch the release on probation, if there is one; confirm it or roll back."""
    with runtime_files.exclusive(app.paths, app.name, wait=True):
        transaction = app.records.unfinished()
        if transaction is None or transaction.step not in SWITCHING:
            return Exit.DONE
        started = app.clock.now()
        try:
            outcome = finish(app, transaction)
        finally:
            app.worker.close()
        remember(app, outcome, started)
        if outcome.exit_code != Exit.DONE:
            runtime_files.set_stale(app.paths)
    clear_away(app)
    return outcome.exit_code


def finish(app: App, transaction: Transaction) -> Outcome:
    """Continue a probation; finish or undo a switch or a rollback that was interrupted."""
    if transaction.step == Step.PROBATION:
        with runtime_files.activating(app.paths):
            return resume(app, transaction)
    end(app, transaction)
    ended = app.records.transaction(transaction.id)
    current = linked_release(app.paths.current)
    return Outcome(Result(ended.result), Exit(ended.exit_code), ended.reason, ended.commit, current)


def load(paths: Paths, name: str) -> App:
    """Load an app, by its last valid settings if those of now cannot be used: somebody must watch.

    Raises what `assemble` raises.
    """
    try:
        return assemble(paths, name, identity=builder())
    except ConfigurationError:
        kept = last_valid.read(paths.app(name).last_valid, name)
        if kept is None:
            raise
        return assemble(paths, name, identity=builder(), settings=kept)


def main(arguments: list[str], paths: Paths | None = None) -> int:
    """Run the probation for one app."""
    os.umask(UMASK)
    try:
        return confirm(load(paths or Paths(), arguments[0]))
    except AutoupdateError as error:
        say(f"autoupdate: {error.message}")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
