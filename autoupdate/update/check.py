"""check: is there a commit to update to? Asks upstream, unless there is a hold or a pin."""

from autoupdate.app import App, Outcome
from autoupdate.config.run_from import adoption, elsewhere, leads_into
from autoupdate.gates import pin
from autoupdate.gates.attempts import nothing_to_do
from autoupdate.gates.hold import held
from autoupdate.host.links import claim, linked_release
from autoupdate.model.commits import kept
from autoupdate.model.errors import (
    ConfigurationError,
    Exit,
    NoCandidateError,
    UnreachableError,
)
from autoupdate.model.events import CURRENT, DEFERRED, NO_CANDIDATE
from autoupdate.model.steps import Result
from autoupdate.records import first_seen, network_trouble, tags
from autoupdate.records import pin as pins
from autoupdate.upstream.git_environment import URL, host_of


class NothingToDoError(Exception):
    """There is no commit to update to; `outcome` is that of the run."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


def check(app: App, trigger: str, *, force: bool) -> str:
    """Return the commit to update to.

    Raises NothingToDoError, UnreachableError, and ConfigurationError if `path` is not our link or
    the services run from another place.
    """
    if on_hold := held(app):
        raise NothingToDoError(note(app, on_hold))
    claim_path(app)
    try:
        commit = look_upstream(app)
    except NoCandidateError as error:
        raise NothingToDoError(no_candidate(app, error)) from None
    if nothing := nothing_to_do(app, commit, trigger, force=force):
        raise NothingToDoError(note(app, nothing))
    return commit


def claim_path(app: App) -> None:
    """Make sure that `path` is our link or can become it, and that services run from there.

    Raises ConfigurationError for a first deployment to a place from which nothing would run.
    """
    path = app.settings.path
    if linked_release(app.paths.current):
        return claim(path, app.paths)
    units = app.host.services.directives(app.settings.services)
    found = elsewhere(units, path, app.paths)
    if found and not any(leads_into(unit, path, app.paths) for unit in units):
        service, place = next(iter(found.items()))
        raise ConfigurationError(
            f"{service} runs from {place}, not from path ({path}); nothing was deployed",
            f"to manage {place}: {adoption(place, app.name)}; or set path in"
            f" /etc/autoupdate/apps/{app.name}.toml, and let the units run from there",
        )
    return claim(path, app.paths)


def look_upstream(app: App) -> str:
    """Return the commit that upstream has; with a pin the pinned one, without asking upstream."""
    try:
        found = pin.wanted(app)
    except UnreachableError as error:
        note_trouble(app, error, upstream_host(app))
        raise
    if not pins.find(app.records):
        upstream_answered(app, found.commit)
    app.records.set_candidate(found.commit, app.clock.now())
    first_seen.note(app.records, found.commit, app.clock.now())
    tags.remember(app.records, found, app.clock.now())
    return found.commit


def upstream_host(app: App) -> str:
    """Return the host that upstream is on."""
    return host_of(app.settings.upstream.url)


def note_trouble(app: App, error: UnreachableError, otherwise: str) -> None:
    """Record which server does not work: the one that the error names, or else `otherwise`."""
    named = URL.search(error.message)
    server = error.server or (host_of(named[0]) if named else otherwise)
    network_trouble.note(app.records, server, error.message, app.clock.now())


def upstream_answered(app: App, commit: str) -> None:
    """Record that trouble with upstream has ended, unless it was about fetching this commit."""
    known, attempts = network_trouble.find(app.records), app.records.attempts(commit)
    if known and not (attempts and attempts.reason == known.reason):
        network_trouble.end(app.records, upstream_host(app))


def note(app: App, outcome: Outcome) -> Outcome:
    """Log why a run has nothing to do, and return its outcome."""
    kind = CURRENT if outcome.result is Result.CURRENT else DEFERRED
    if kind is CURRENT and outcome.commit:
        # No server that a build needs is missed now.
        network_trouble.end(app.records)
    if kind is CURRENT and app.records.attempts(outcome.commit):
        # It could not be built again, for a reason that is gone, such as a wrong build.python.
        app.records.forgive(outcome.commit)
    app.tell(kind, outcome.reason, commit=outcome.commit, release=outcome.release)
    return outcome


def no_candidate(app: App, error: NoCandidateError) -> Outcome:
    """Log that upstream has no commit that `upstream.track` allows; a deployed release is kept."""
    release = linked_release(app.paths.current)
    reason = f"{app.name}: {error.message}; {kept(release)}"
    app.tell(NO_CANDIDATE, reason, release=release)
    result, code = (Result.DEFERRED, Exit.DONE) if release else (Result.FAILED, Exit.FAILED)
    return Outcome(result, code, reason, "", release, error.advice)
