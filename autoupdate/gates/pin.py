"""pin: the administrator's word that one commit, and no other, is to be deployed.

The next run brings it in, whether it is newer or older, and stays there. What a pin goes past is
said in candidate.py and in the gates; signatures are not among it.
"""

from autoupdate.app import App
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.track import Found
from autoupdate.records.pin import find
from autoupdate.upstream.git_environment import redact

FULL_NAMES = (40, 64)


def wanted(app: App) -> Found:
    """Return the commit to deploy: the pinned one, or else what upstream has.

    Raises UnreachableError, NoCandidateError.
    """
    pin = find(app.records)
    return Found(pin.commit) if pin else app.ask_upstream(app.settings.upstream)


def full_name(app: App, name: str) -> str:
    """Return the full name of a commit that is named by some digits.

    Raises ConfigurationError for what is no name, and for what the mirror cannot complete.
    """
    name = name.lower()
    listing = f"this shows names: git ls-remote {redact(app.settings.upstream.url)}"
    if not name or name.strip("0123456789abcdef") or not 7 <= len(name) <= FULL_NAMES[-1]:
        raise ConfigurationError(
            f'"{name}" is no name of a commit: seven or more hexadecimal digits are',
            listing,
        )
    if len(name) in FULL_NAMES:
        return name
    found = app.worker.resolve(name)
    if not found:
        raise ConfigurationError(
            f"no commit in the mirror of {app.name}, or more than one, begins with {name}",
            f"give its full name; {listing}",
        )
    return found
