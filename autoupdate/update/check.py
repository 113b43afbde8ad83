"""check: is there a commit to update to? Asks upstream, unless a hold or a pin answers already."""

from autoupdate.app import App, Outcome
from autoupdate.gates import pin
from autoupdate.gates.attempts import nothing_to_do
from autoupdate.gates.hold import held
from autoupdate.host.links import claim, linked_release
from autoupdate.model.errors import Exit, NoCandidateError
from autoupdate.model.events import CURRENT, DEFERRED, NO_CANDIDATE
from autoupdate.model.steps import Result
from autoupdate.records import first_seen, tags


class NothingToDoError(Exception):
    """There is no commit to update to; `outcome` is how the run ends."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


def check(app: App, trigger: str, *, force: bool) -> str:
    """Return the commit to update to.

    Raises NothingToDoError, UnreachableError, and ConfigurationError where `path` is taken.
    """
    if on_hold := held(app):
        raise NothingToDoError(note(app, on_hold))
    claim(app.settings.path, app.paths)
    try:
        commit = look_upstream(app)
    except NoCandidateError as error:
        raise NothingToDoError(no_candidate(app, error)) from None
    if nothing := nothing_to_do(app, commit, trigger, force=force):
        raise NothingToDoError(note(app, nothing))
    return commit


def look_upstream(app: App) -> str:
    """Return the commit that the track points to; a pin says it without asking upstream."""
    found = pin.wanted(app)
    app.records.set_candidate(found.commit, app.clock.now())
    first_seen.note(app.records, found.commit, app.clock.now())
    tags.remember(app.records, found, app.clock.now())
    return found.commit


def note(app: App, outcome: Outcome) -> Outcome:
    """Log that a run has nothing to do, or may not do it."""
    kind = CURRENT if outcome.result is Result.CURRENT else DEFERRED
    if kind is CURRENT and app.records.attempts(outcome.commit):
        # It failed to be built again for a reason that is gone, such as another build.python.
        app.records.forgive(outcome.commit)
    app.tell(kind, outcome.reason, commit=outcome.commit, release=outcome.release)
    return outcome


def no_candidate(app: App, error: NoCandidateError) -> Outcome:
    """Report that upstream has nothing that policy admits; with a release in place, that stays."""
    release = linked_release(app.paths.current)
    place = f"release {release} stays" if release else "nothing deployed"
    reason = f"{app.name}: {error.message}; {place}"
    app.tell(NO_CANDIDATE, reason, release=release)
    result, code = (Result.DEFERRED, Exit.DONE) if release else (Result.FAILED, Exit.FAILED)
    return Outcome(result, code, reason, "", release, error.advice)
