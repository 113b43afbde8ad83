"""The arguments of verbs that take an app and something else, both optional."""

import re
from typing import TYPE_CHECKING

from autoupdate.model.errors import ConfigurationError

if TYPE_CHECKING:
    from argparse import Namespace

# The name of a release or its beginning, the first digits of a commit, or a word for one.
RELEASE = re.compile(
    r"previous|current|[0-9]{4,8}|[0-9]{8}T[0-9]{0,6}(Z(-([0-9a-f]{0,12}x*)?)?)?|[0-9A-Fa-f]{7,64}"
)
USAGE = "usage: autoupdatectl rollback [RELEASE] [APP]; to list releases: autoupdatectl history"


def understand(chosen: "Namespace") -> None:
    """Set the app, and the release or commit, from the arguments (`words`) of a verb."""
    if chosen.verb == "rollback":
        chosen.release, chosen.app = release_and_app(chosen.words)
    else:
        chosen.commit, chosen.app = commit_and_app(chosen.words, every=chosen.all)


def release_and_app(words: list[str]) -> tuple[str, str]:
    """Return the release and the app, each empty if it is not given."""
    if "" in words:
        raise ConfigurationError("an argument is empty", USAGE)
    releases = [word for word in words if RELEASE.fullmatch(word)]
    others = [word for word in words if not RELEASE.fullmatch(word)]
    if len(releases) > 1:
        raise ConfigurationError("give at most one release and one app", USAGE)
    if len(others) > 1:
        raise ConfigurationError(
            f'"{others[0]}" is not a release: give its name, `previous`, or the beginning of its'
            " name or commit",
            USAGE,
        )
    return "".join(releases), "".join(others)


def commit_and_app(words: list[str], *, every: bool = False) -> tuple[str, str]:
    """Return the commit of `clear COMMIT`, empty without it, and the app, empty if not given.

    `every`: --all is given, which stands in the place of a commit.
    """
    clears = words[:1] == ["clear"]
    if (every and not clears) or len(words) > (3 if clears and not every else 1 + clears):
        raise ConfigurationError(
            "unknown arguments",
            "usage: autoupdatectl quarantine [clear COMMIT | clear --all] [APP]",
        )
    if every or not clears:
        return "", "".join(words[clears:])
    if len(words) < 2 or not re.fullmatch(r"[0-9A-Fa-f]{7,64}", words[1]):
        raise ConfigurationError(
            "give at least seven hexadecimal digits of the commit",
            "usage: autoupdatectl quarantine clear COMMIT [APP]",
        )
    return words[1].lower(), "".join(words[2:])
