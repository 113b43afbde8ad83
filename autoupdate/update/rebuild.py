"""Builds the current commit again if its release can no longer run.

Its environment may be for a Python that an upgrade of the host removed, or its directory may be
gone. A newer commit upstream would fix that, but a hold, a window, a quarantine, a missing
signature or an unreachable upstream may prevent it; services must not stay down for that.
"""

from autoupdate.app import App, Outcome
from autoupdate.gates.attempts import nothing_to_do
from autoupdate.gates.order import DEPLOYED_ALREADY, RefusedError
from autoupdate.gates.runnable import is_complete
from autoupdate.host import runtime_files
from autoupdate.host.links import linked_release
from autoupdate.model.commits import short
from autoupdate.model.errors import AutoupdateError, ConfigurationError
from autoupdate.model.events import STEP
from autoupdate.records.rows import Release
from autoupdate.update.activate import get_ready
from autoupdate.update.check import note
from autoupdate.update.failure import give_up, refuse
from autoupdate.update.fetch import name_release
from autoupdate.update.recover import recover
from autoupdate.update.update import make_release, switch_over


def rebuild(app: App, current: Release, trigger: str, *, force: bool) -> Outcome:
    """Build the commit of a release that can no longer run again, and switch to the new release."""
    if nothing := nothing_to_do(app, current.commit, trigger, force=force):
        return note(app, nothing)
    complete = is_complete(app.paths, current.id)
    why = "the host's Python has changed" if complete else "its environment is missing"
    app.tell(STEP, f"{app.name}: release {current.id} can no longer run, because {why};"
             f" its commit {short(current.commit)} is built again",
             commit=current.commit, release=current.id)  # fmt: skip
    # Windows and ages are ignored: services must not stay down for them.
    return build_again(app, current, trigger, force=True)


def rebuild_by_hand(app: App, *, newest: bool, force: bool) -> Outcome:
    """Build the current commit again, as the administrator asked for.

    `newest`: with the newest packages that fit. Raises ConfigurationError if nothing is deployed.
    """
    if unwatched := recover(app):
        return unwatched
    current = app.records.release(linked_release(app.paths.current))
    if current is None:
        raise ConfigurationError(
            f"{app.name} has no release that could be built again",
            f"autoupdatectl run {app.name}",
        )
    how = " with the newest packages" if newest else ""
    app.tell(STEP, f"{app.name}: commit {short(current.commit)} is built again{how}, by hand",
             commit=current.commit, release=current.id)  # fmt: skip
    return build_again(app, current, "manual", newest=newest, force=force)


def build_again(
    app: App, current: Release, trigger: str, *, force: bool, newest: bool = False
) -> Outcome:
    """Make a new release of a deployed commit, and switch to it."""
    runtime_files.set_stale(app.paths)
    previous = current.id if is_complete(app.paths, current.id) else ""
    number = app.records.begin(trigger, current.commit, previous, app.clock.now())
    transaction = app.records.transaction(number)
    try:
        transaction = name_release(app, transaction, current.commit)
        release = make_release(
            app, transaction, None, verified_by=DEPLOYED_ALREADY, guarded_by=(), newest=newest,
            force=force,
        )  # fmt: skip
        get_ready(app, transaction, force=force)
    except RefusedError as refused:
        return refuse(app, transaction, refused.verdict)
    except AutoupdateError as error:
        return give_up(app, transaction, error)
    return switch_over(app, transaction, release)
