"""pin: the administrator has chosen one commit to deploy, and no other.

The next run deploys it, even if it is older, and later runs keep it. Which gates do not check a
pinned commit is said in candidate.py (`is_named`); signatures are always checked.
"""

from autoupdate.app import App
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.track import Found
from autoupdate.records.pin import find
from autoupdate.upstream.git_environment import redact

FULL_NAMES = (40, 64)


def wanted(app: App) -> Found:
    """Return the commit to deploy: the pinned one, or else the one that upstream has.

    Raises UnreachableError, NoCandidateError.
    """
    pin = find(app.records)
    return Found(pin.commit) if pin else app.ask_upstream(app.settings.upstream)


def full_name(app: App, name: str) -> str:
    """Return all digits of a commit of which some are given.

    Raises ConfigurationError if these are not hexadecimal digits, or if not exactly one commit in
    the mirror begins with them.
    """
    name = name.lower()
    listing = f"to list commits: git ls-remote {redact(app.settings.upstream.url)}"
    if not name or name.strip("0123456789abcdef") or not 7 <= len(name) <= FULL_NAMES[-1]:
        raise ConfigurationError(
            f'"{name}" is not a commit: give at least seven hexadecimal digits',
            listing,
        )
    if len(name) in FULL_NAMES:
        return name
    found = app.worker.resolve(name)
    if not found:
        raise ConfigurationError(
            f"no commit in the mirror of {app.name}, or more than one, begins with {name}",
            f"give all its digits; {listing}",
        )
    return found
