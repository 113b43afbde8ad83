"""What the worker says of an old checkout that is taken over."""

from typing import NamedTuple


class Checkout(NamedTuple):
    """What an old checkout holds; of paths the first ones, and how many there are."""

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
    """What the mirror has now of an old checkout.

    `base` is its newest commit that upstream has, too (empty: none), `local` how many it has not;
    `saved`: local changes are a stash.
    """

    base: str
    local: int
    saved: bool
