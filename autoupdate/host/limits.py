"""Limits for sizes that somebody else decides (getrlimit(2)): files and memory."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# The free space that a worker must leave, in bytes.
LEAST_SPACE = 32 << 20
FILE_SIZE, MEMORY = resource.RLIMIT_FSIZE, resource.RLIMIT_DATA


@contextmanager
def limited(**most: int) -> Iterator[None]:
    """Limit this process and those that it starts meanwhile: `file_size`, `memory`, in bytes.

    A program that writes more is killed by SIGXFSZ; one that needs more memory does not get it: in
    Python, a MemoryError.
    """
    kinds = {"file_size": FILE_SIZE, "memory": MEMORY}
    before = {kinds[name]: resource.getrlimit(kinds[name]) for name in most}
    try:
        for name, bytes_ in most.items():
            hard = before[kinds[name]][1]
            soft = bytes_ if hard == resource.RLIM_INFINITY else min(bytes_, hard)
            resource.setrlimit(kinds[name], (soft, hard))
        yield
    finally:
        for kind, limits in before.items():
            resource.setrlimit(kind, limits)


def limit_memory(most: int) -> Callable[[], None]:
    """Return a function that limits the memory of the calling process, in bytes, for good."""
    return lambda: resource.setrlimit(MEMORY, (most, most))


def free_space(directory: str) -> int:
    """Return the bytes that unprivileged users can still write there (statvfs(3))."""
    facts = os.statvfs(directory)
    return facts.f_bavail * facts.f_frsize
