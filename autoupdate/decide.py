"""Whether a candidate is to be taken: the reasons to leave things as they are."""

import os

from autoupdate.app import App, Outcome
from autoupdate.errors import Exit
from autoupdate.publish import linked_release
from autoupdate.state import Result, Step
from autoupdate.store import Quarantined, Release, Store


def nothing_to_do(app: App, commit: str, *, force: bool) -> Outcome | None:
    """Return why there is nothing to do for a commit; None when it is to be taken."""
    release = linked_release(app.paths.current)
    current = app.store.release(release) if release else None
    fault = next((item for item in app.store.quarantined() if item.commit == commit), None)
    # A first release that does not run is current, for want of another, and yet in quarantine.
    if current and current.commit == commit and not fault and is_usable(app, current):
        reason = f"{app.name}: already up to date at commit {commit}"
        return Outcome(Result.CURRENT, Exit.DONE, reason, commit, release)
    if fault and not force:
        reason = (
            f"{app.name}: commit {commit} is in quarantine since {fault.since}, because"
            f" {fault.step} failed: {fault.reason}; release {release or 'none'} stays"
        )
        advice = f"wait for a newer commit, or: autoupdatectl run --force {app.name}"
        return Outcome(Result.DEFERRED, Exit.DONE, reason, commit, release, advice)
    return None


def stuck(store: Store) -> Quarantined | None:
    """Return the fault for which upstream's newest commit could not even be made a release.

    A commit that was rolled back is no such case: the host has dealt with it.
    """
    candidate = store.candidate()
    for failed in store.quarantined():
        if candidate and failed.commit == candidate.commit and failed.step != Step.PROBATION:
            return failed
    return None


def is_usable(app: App, release: Release) -> bool:
    """Tell whether a release is complete and its interpreter is still the host's.

    After an upgrade of the host, an environment made for the interpreter before it is useless.
    """
    interpreter = release.interpreter.partition(" ")[0]
    return is_complete(app, release.id) and interpreter == os.path.realpath(
        app.settings.build.python
    )


def is_complete(app: App, release: str) -> bool:
    """Tell whether the directory of a release is there with its environment."""
    return os.path.exists(f"{app.paths.release(release)}/.venv/bin/python")
