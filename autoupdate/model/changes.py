"""What changes between two commits, and what a build of one would need, as the worker reports it.

The run parses these answers and checks their form.
"""

from typing import Any, NamedTuple

from autoupdate.model.errors import UpdateFailedError


class Logged(NamedTuple):
    """One commit as upstream describes it; the time is seconds since 1970."""

    commit: str
    committed_at: int
    author: str
    subject: str


class Changed(NamedTuple):
    """One file that differs; the letter is git-diff-tree(1)'s: A, D, M or T."""

    letter: str
    path: str


class Changes(NamedTuple):
    """What a commit changes compared with another one: the totals, and the first of each list.

    With no other commit, or one that the mirror lacks, `compared` is false and `log` has only the
    commit itself.
    """

    compared: bool
    commits: int
    log: tuple[Logged, ...]
    files: int
    paths: tuple[Changed, ...]


class Forecast(NamedTuple):
    """What a build would need, found without checking out the commit.

    `key` names the environment, and `reused` says that it exists already; the key is empty if it
    must be found out first which packages that are. `asked` names what the commit asks for. `free`
    is in bytes.
    `changed` are the files that define dependencies and differ from the deployed commit; `added`
    and `removed` are lines of requirements files.
    """

    key: str
    interpreter: str
    reused: bool
    free: int
    asked: str
    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]


class Expected(NamedTuple):
    """Which packages of an index a build would install, remove or replace; versions by name.

    `download` is how much would be downloaded at most, in bytes; 0 if the index does not say.
    """

    added: dict[str, str]
    removed: dict[str, str]
    changed: dict[str, tuple[str, str]]
    download: int


def read_changes(answer: dict[str, Any]) -> Changes:
    """Parse the worker's answer. Raises UpdateFailedError if it has another form."""
    try:
        return Changes(
            bool(answer["compared"]),
            int(answer["commits"]),
            tuple(Logged(str(a), int(b), str(c), str(d)) for a, b, c, d in answer["log"]),
            int(answer["files"]),
            tuple(Changed(str(letter), str(path)) for letter, path in answer["paths"]),
        )
    except (KeyError, TypeError, ValueError):
        raise UpdateFailedError("the worker's answer is not a comparison of commits") from None


def read_forecast(answer: dict[str, Any]) -> Forecast:
    """Parse the worker's answer. Raises UpdateFailedError if it has another form."""
    try:
        return Forecast(
            str(answer["key"]),
            str(answer["interpreter"]),
            bool(answer["reused"]),
            int(answer["free"]),
            str(answer["asked"]),
            *(tuple(map(str, answer[name])) for name in ("changed", "added", "removed")),
        )
    except (KeyError, TypeError, ValueError):
        raise UpdateFailedError("the worker's answer is not a forecast of a build") from None


def read_expected(answer: dict[str, Any]) -> Expected:
    """Parse the worker's answer. Raises UpdateFailedError if it has another form."""
    try:
        added, removed = (
            {str(name): str(version) for name, version in answer[key].items()}
            for key in ("added", "removed")
        )
        changed = {
            str(name): (str(old), str(new)) for name, (old, new) in answer["changed"].items()
        }
        return Expected(added, removed, changed, int(answer["download"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UpdateFailedError("the worker's answer has no packages") from None
