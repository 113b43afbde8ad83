"""autoupdatectl adopt, release-path"""

import os
from argparse import Namespace
from collections.abc import Callable

from autoupdate.adoption.adopt import adopt as take_over
from autoupdate.adoption.decide import Decision, decide
from autoupdate.adoption.gate_drop_in import calls_gate
from autoupdate.adoption.give_back import give_back
from autoupdate.adoption.host_changes import real
from autoupdate.adoption.look import look, scratch
from autoupdate.app import App, Outcome
from autoupdate.cli.output import finish
from autoupdate.cli.prepare import identity, prepare, require_root
from autoupdate.cli.printed_log import PrintedLog
from autoupdate.cli.signals import outlive_the_terminal
from autoupdate.config.run_from import is_loaded
from autoupdate.host.services import Systemd
from autoupdate.model.errors import ConfigurationError, Exit
from autoupdate.model.events import STEP
from autoupdate.model.paths import Paths
from autoupdate.update.run import by_hand


def adopt(paths: Paths, app: str, chosen: Namespace) -> int:
    """Take over an existing checkout; its services run from releases afterwards."""
    require_root(paths)
    path, services = absolute(chosen.path), Systemd()
    decision = decide(paths, app, path, services.directives)
    if chosen.look:
        with scratch(paths) as aside:
            return look_at(paths, printing(prepare(aside, app, settings=decision.settings), chosen),
                           decision, path, chosen)  # fmt: skip
    prepared = printing(prepare(paths, app, settings=decision.settings), chosen)
    host = real(paths, identity(paths))

    def work() -> Outcome:
        return take_over(prepared, host, path, leave_commits=chosen.leave_commits)

    tell(prepared, decision, services, look_only=False)
    with outlive_the_terminal():
        outcome = by_hand(prepared, lambda: decided(decision, prepared, work))
    return finish(outcome, app, chosen)


def look_at(paths: Paths, aside: App, decision: Decision, path: str, chosen: Namespace) -> int:
    """Report what an adoption would find; `aside` is the app in a scratch directory."""
    tell(aside, decision, Systemd(), look_only=True)
    host = real(paths, identity(paths))

    def work() -> Outcome:
        return look(aside, host, path, leave_commits=chosen.leave_commits)

    with outlive_the_terminal():
        outcome = by_hand(aside, work, is_run=False)
    return finish(outcome, aside.name, chosen)


def printing(app: App, chosen: Namespace) -> App:
    """Return an app whose steps are printed while they are logged, unless JSON is wanted."""
    return app if chosen.json else app._replace(log=PrintedLog(app.log))


def tell(app: App, decision: Decision, services: Systemd, *, look_only: bool) -> None:
    """Log the settings that were decided, and which services have no gate."""
    written = "would be written" if look_only else "is written"
    for line in decision.lines():
        app.tell(STEP, f"{app.name}: {line} is not set by hand; it {written} to {decision.file}")
    for unit in services.directives(decision.settings.services):
        if is_loaded(unit) and not calls_gate(unit.get("ExecStartPre", "")):
            command = f"autoupdatectl gate enable {unit['Name']} {app.name}"
            app.tell(STEP, f"{app.name}: {unit['Name']} does not check for updates before it"
                     f" starts; if it should: {command}")  # fmt: skip


def decided(decision: Decision, app: App, work: Callable[[], Outcome]) -> Outcome:
    """Write what was decided, and do the rest; if that fails, nothing was decided.

    An adoption that cannot be undone yet still needs its settings.
    """
    good = False
    try:
        decision.write()
        outcome = work()
        good = outcome.exit_code == Exit.DONE
    finally:
        if not good and not os.path.lexists(app.paths.relocation):
            decision.take_back()
    return outcome


def absolute(path: str) -> str:
    """Return an absolute path. Raises ConfigurationError if the working directory was removed."""
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: the working directory was removed", "cd /, and give the absolute path"
        ) from None


def release_path(paths: Paths, app: str, chosen: Namespace) -> int:
    """Replace the managed path by a plain checkout, and stop managing it."""
    prepared = prepare(paths, app)
    prepared = printing(prepared, chosen)
    host = real(paths, identity(paths))
    with outlive_the_terminal():
        outcome = by_hand(prepared, lambda: give_back(prepared, host))
    return finish(outcome, app, chosen)
