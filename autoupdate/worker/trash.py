"""Removals in two steps: what is no longer needed is renamed, and removed when there is time.

To remove a release takes as long as to make it. Nobody should wait for that: neither who typed the
command, nor a service whose start waits for the run. A rename takes no time, and it is whole: there
is never half a release in its place.
"""

import os
from contextlib import suppress

from autoupdate.model.paths import AppPaths
from autoupdate.worker.removal import Remaining, explained, remove_tree


def throw_away(paths: AppPaths, place: str) -> tuple[Remaining, ...]:
    """Move something into the trash, if it exists; return why that failed, if it did."""
    if not os.path.lexists(place):
        return ()
    try:
        os.makedirs(paths.trash, mode=0o700, exist_ok=True)
        os.rename(place, f"{paths.trash}/{unused_name(paths, os.path.basename(place))}")
    except OSError as error:
        remove_if_empty(paths)
        return (explained(place, place, error),)
    return ()


def unused_name(paths: AppPaths, name: str) -> str:
    """Return a name that nothing in the trash has: something of that name may still be there."""
    number, wanted = 0, name
    while os.path.lexists(f"{paths.trash}/{wanted}"):
        number += 1
        wanted = f"{name}.{number}"
    return wanted


def is_empty(paths: AppPaths) -> bool:
    """Return whether there is nothing to remove, not even the directory of a killed run."""
    return not os.path.lexists(paths.trash)


def empty(paths: AppPaths) -> dict[str, tuple[Remaining, ...]]:
    """Remove everything in the trash, and what comes meanwhile; return what is left, by path.

    Two processes may do this at once.
    """
    left: dict[str, tuple[Remaining, ...]] = {}
    while entries := contents(paths) - left.keys():
        for place in sorted(entries):
            if remaining := remove_tree(place):
                left[place] = remaining
    remove_if_empty(paths)
    return left


def remove_if_empty(paths: AppPaths) -> None:
    """Remove the directory itself: that it exists means that there is something to remove."""
    with suppress(OSError):
        # Unless something is left, or has just come.
        os.rmdir(paths.trash)


def contents(paths: AppPaths) -> set[str]:
    """Return the paths of what is in the trash."""
    try:
        return {f"{paths.trash}/{name}" for name in os.listdir(paths.trash)}
    except FileNotFoundError:
        return set()
