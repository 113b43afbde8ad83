"""rollback: back to the previous or a named release by an administrator's word."""

from autoupdate import runtime
from autoupdate.app import App, Outcome
from autoupdate.decide import is_complete
from autoupdate.errors import ConfigurationError
from autoupdate.probation import look, roll_back
from autoupdate.publish import linked_release
from autoupdate.recover import recover
from autoupdate.state import Step

BY_HAND = "rolled back by hand"


def rollback(app: App, wanted: str) -> Outcome:
    """Switch to another release, restart and watch; the commit that is left goes to quarantine.

    Raises ConfigurationError when there is no such release to go to.
    """
    if unwatched := recover(app):
        return unwatched
    current = linked_release(app.paths.current)
    target = wanted or linked_release(app.paths.previous)
    refuse_impossible(app, current, target, wanted)
    left = app.store.release(current)
    runtime.set_stale(app.paths)
    commit = left.commit if left else ""
    number = app.store.begin("rollback", commit, target, app.clock.now(), Step.ROLL_BACK)
    app.store.set_target(number, commit, current)
    app.store.set_services(number, [service.name for service in look(app) if service.runs])
    if commit:
        app.store.quarantine(commit, Step.PROBATION, BY_HAND, app.clock.now())
    with runtime.activating(app.paths):
        return roll_back(app, app.store.transaction(number), BY_HAND)


def refuse_impossible(app: App, current: str, target: str, wanted: str) -> None:
    """Raise ConfigurationError, with what could be typed, for a release that cannot be run."""
    usable = [
        item.id for item in app.store.releases() if item.id != current and is_complete(app, item.id)
    ]
    if target in usable:
        return
    advice = f"there are: {', '.join(usable)}" if usable else "there is no other release"
    if not target:
        raise ConfigurationError("there is no previous release to go back to", advice)
    if target == current:
        raise ConfigurationError(f"release {target} is the current one already", advice)
    what = wanted or f"{target}, the previous one,"
    raise ConfigurationError(f"there is no complete release {what} here", advice)
