"""Checks that only root can have written a file: its own owner and mode, and those above it."""

import os
import stat
from collections.abc import Iterator


def fault(path: str, top: str, owner: int) -> str:
    """Return who else could have written a path, or nothing. Checks links on the way, too.

    For tests: what is above `top` is not checked, and `owner` counts as root. Raises OSError.
    """
    for place in (*_way_to(path, top), *_way_to(os.path.realpath(path), top)):
        facts = os.lstat(place)
        if facts.st_uid != owner:
            return f"{place} belongs to user {facts.st_uid}, not to root"
        if not stat.S_ISLNK(facts.st_mode) and facts.st_mode & 0o022:
            return f"{place} can be written by users other than root"
    return ""


def _way_to(path: str, top: str) -> Iterator[str]:
    """Yield a path and all directories above it, up to the top."""
    while True:
        yield path
        if path in (top, "/"):
            return
        path = os.path.dirname(path)
