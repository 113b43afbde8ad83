"""What lies between two commits, and what a build of one would need; the worker's word for it.

Read by the run's side, which checks the form of every answer.
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
    """What a commit brings compared with another one: numbers of all, names of the first ones.

    Compared with none, or with one that the mirror does not have, it is the commit alone.
    """

    compared: bool
    commits: int
    log: tuple[Logged, ...]
    files: int
    paths: tuple[Changed, ...]


class Forecast(NamedTuple):
    """What a build would need, found out without checking anything out.

    `free` is in bytes; `changed` are the files that decide about dependencies and differ from the
    deployed commit's; `added` and `removed` are lines of requirements files.
    """

    key: str
    interpreter: str
    reused: bool
    free: int
    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]


def read_changes(answer: dict[str, Any]) -> Changes:
    """Check the answer of a worker. Raises UpdateFailedError for one that says something else."""
    try:
        return Changes(
            bool(answer["compared"]),
            int(answer["commits"]),
            tuple(Logged(str(a), int(b), str(c), str(d)) for a, b, c, d in answer["log"]),
            int(answer["files"]),
            tuple(Changed(str(letter), str(path)) for letter, path in answer["paths"]),
        )
    except (KeyError, TypeError, ValueError):
        raise UpdateFailedError("the worker's answer is no comparison of commits") from None


def read_forecast(answer: dict[str, Any]) -> Forecast:
    """Check the answer of a worker. Raises UpdateFailedError for one that says something else."""
    try:
        return Forecast(
            str(answer["key"]),
            str(answer["interpreter"]),
            bool(answer["reused"]),
            int(answer["free"]),
            *(tuple(map(str, answer[name])) for name in ("changed", "added", "removed")),
        )
    except (KeyError, TypeError, ValueError):
        raise UpdateFailedError("the worker's answer is no plan of a build") from None
