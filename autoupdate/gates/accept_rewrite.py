"""accept-rewrite COMMIT: allow one commit that does not descend from what was deployed here."""

from autoupdate.app import App
from autoupdate.gates.pin import refuse_missing
from autoupdate.host import runtime_files
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.track import COMMIT
from autoupdate.records import accepted_rewrites


def accept(app: App, beginning: str) -> str:
    """Accept a commit, given in full or, for the candidate, by its first digits.

    Returns all its digits. Raises ConfigurationError for anything else, and for a commit that
    neither the mirror nor upstream has; UnreachableError, BusyError.
    """
    candidate = app.records.candidate()
    commit = beginning
    if candidate and candidate.commit.startswith(beginning):
        commit = candidate.commit
    if not COMMIT.fullmatch(commit):
        known = f"the candidate is {candidate.commit}" if candidate else "there is no candidate"
        raise ConfigurationError(f'"{beginning}" is not a commit in full; {known}')
    refuse_missing(app, commit)
    accepted_rewrites.accept(app.records, commit, app.clock.now())
    # The next start of a service must check again.
    runtime_files.set_stale(app.paths)
    return commit
