"""pin: the administrator's word that one commit, and no other, is to be deployed.

The next run brings it in, whether it is newer or older, and stays there. What a pin goes past is
said in named.py and in the gates; signatures are not among it.
"""

from typing import NamedTuple

from autoupdate.app import App
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.track import Found
from autoupdate.records.records import Store
from autoupdate.upstream.git_environment import redact

FULL_NAMES = (40, 64)


class Pin(NamedTuple):
    """The commit to stay at, and since when (RFC 3339 UTC)."""

    commit: str
    since: str


def find(store: Store) -> Pin | None:
    """Return the pin, if there is one."""
    rows = store.rows('SELECT "commit", since FROM pin')
    return Pin(*rows[0]) if rows else None


def put(store: Store, pin: Pin) -> None:
    """Pin a commit, in place of an earlier one; whoever names it lets it be tried again."""
    with store.atomic():
        store.write("INSERT OR REPLACE INTO pin VALUES (1, ?, ?)", pin)
        store.forgive(pin.commit)


def wanted(app: App) -> Found:
    """Return the commit to deploy: the pinned one, or else what upstream has.

    Raises UnreachableError, NoCandidateError.
    """
    pin = find(app.store)
    return Found(pin.commit) if pin else app.check(app.settings.upstream)


def remove(store: Store) -> None:
    """Follow upstream again."""
    store.write("DELETE FROM pin")


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
    found = app.workshop.resolve(name)
    if not found:
        raise ConfigurationError(
            f"no commit in the mirror of {app.name}, or more than one, begins with {name}",
            f"give its full name; {listing}",
        )
    return found
