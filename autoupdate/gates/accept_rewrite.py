"""accept-rewrite COMMIT: an administrator takes one commit whose history is not that of before."""

from autoupdate.app import App
from autoupdate.host import runtime_files
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.track import COMMIT
from autoupdate.records import accepted_rewrites


def accept(app: App, beginning: str) -> str:
    """Accept a commit, named in full or, if it is the candidate, by its first digits.

    Returns its full name. Raises ConfigurationError for anything else.
    """
    candidate = app.records.candidate()
    commit = beginning
    if candidate and candidate.commit.startswith(beginning):
        commit = candidate.commit
    if not COMMIT.fullmatch(commit):
        known = f"the candidate is {candidate.commit}" if candidate else "there is no candidate"
        raise ConfigurationError(f"name the commit in full: {known}, not {beginning}")
    accepted_rewrites.accept(app.records, commit, app.clock.now())
    # The next start of a service must not rely on a check from before.
    runtime_files.set_stale(app.paths)
    return commit
