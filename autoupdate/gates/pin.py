"""pin: the administrator has chosen one commit to deploy, and no other.

The next run deploys it, even if it is older, and later runs keep it. Which gates do not check a
pinned commit is said in candidate.py (`is_named`); signatures are always checked.
"""

from autoupdate.app import App
from autoupdate.host import runtime_files
from autoupdate.model.errors import ConfigurationError, UnreachableError
from autoupdate.model.track import Found
from autoupdate.records.pin import find
from autoupdate.upstream.git_environment import redact

FULL_NAMES = (40, 64)
# What git says when it was asked for a commit that is not there.
NO_SUCH_COMMIT = ("not our ref", "couldn't find remote ref", "unadvertised object")


def wanted(app: App) -> Found:
    """Return the commit to deploy: the pinned one, or else the one that upstream has.

    Raises UnreachableError, NoCandidateError.
    """
    pin = find(app.records)
    return Found(pin.commit) if pin else app.ask_upstream(app.settings.upstream)


def full_name(app: App, name: str) -> str:
    """Return all digits of a commit of which some are given.

    Raises ConfigurationError if these are not hexadecimal digits, or if not exactly one commit in
    the mirror begins with them; with all digits, if upstream does not have it either.
    """
    name = name.lower()
    listing = how_to_list(app)
    if not name or name.strip("0123456789abcdef") or not 7 <= len(name) <= FULL_NAMES[-1]:
        raise ConfigurationError(
            f'"{name}" is not a commit: give at least seven hexadecimal digits',
            listing,
        )
    if len(name) in FULL_NAMES:
        refuse_missing(app, name)
        return name
    found = app.worker.resolve(name)
    if not found:
        raise ConfigurationError(
            f"no commit in the mirror of {app.name}, or more than one, begins with {name}",
            f"give all its digits; {listing}",
        )
    return found


def how_to_list(app: App) -> str:
    """Return how to list the commits of upstream."""
    return f"to list commits: git ls-remote {redact(app.settings.upstream.url)}"


def refuse_missing(app: App, commit: str) -> None:
    """Raise ConfigurationError if neither the mirror nor upstream has a commit.

    It is fetched if it is upstream's, so that the next run has it. Raises UnreachableError if
    upstream does not answer, BusyError while a run uses the mirror.
    """
    candidate = app.records.candidate()
    known = {item.commit for item in app.records.releases()}
    known |= {item.commit for item in app.records.quarantined()}
    known |= {item.commit for item in filter(None, [candidate])}
    if commit in known or app.worker.resolve(commit):
        return
    upstream = app.settings.upstream
    with runtime_files.exclusive(app.paths, app.name, wait=False):
        try:
            app.worker.fetch(upstream.url, commit, upstream.timeout)
        except UnreachableError as error:
            if not any(words in error.message for words in NO_SUCH_COMMIT):
                raise
            raise ConfigurationError(
                f"{commit} is not a commit of {redact(upstream.url)}, nor of the mirror of"
                f" {app.name}; nothing was changed",
                how_to_list(app),
            ) from None
