"""What the worker reports about an old checkout that is adopted."""

from typing import NamedTuple


class Checkout(NamedTuple):
    """What an old checkout contains; of each list of paths the first ones, and the total."""

    commit: str
    branch: str
    urls: tuple[str, ...]
    stashes: int
    modified: tuple[str, ...]
    modified_count: int
    untracked: tuple[str, ...]
    untracked_count: int
    ignored: tuple[str, ...]
    ignored_count: int


class TakenOver(NamedTuple):
    """What was saved from an old checkout to the mirror.

    `base` is its newest commit that upstream has, too (empty: none); `local` is the number of its
    commits that upstream lacks; `saved` says that local changes were saved as a stash.
    """

    base: str
    local: int
    saved: bool
