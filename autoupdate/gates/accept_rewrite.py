"""accept-rewrite COMMIT: an administrator takes one commit whose history is not that of before."""

from autoupdate.app import App
from autoupdate.host import runtime_files
from autoupdate.model.errors import ConfigurationError
from autoupdate.upstream.ls_remote import COMMIT


def accept(app: App, beginning: str) -> str:
    """Accept a commit, named in full or, if it is the candidate, by its first digits.

    Returns its full name. Raises ConfigurationError for anything else.
    """
    candidate = app.store.candidate()
    commit = beginning
    if candidate and candidate.commit.startswith(beginning):
        commit = candidate.commit
    if not COMMIT.fullmatch(commit):
        known = f"the candidate is {candidate.commit}" if candidate else "there is no candidate"
        raise ConfigurationError(f"name the commit in full: {known}, not {beginning}")
    app.store.write(
        "INSERT OR REPLACE INTO accepted_rewrites VALUES (?, ?)", [commit, app.clock.now()]
    )
    # The next start of a service must not rely on a check from before.
    runtime_files.set_stale(app.paths)
    return commit
