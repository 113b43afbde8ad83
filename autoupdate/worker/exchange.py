"""What a request needs to exchange something with upstream: credentials, and limits."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from autoupdate.upstream.git_environment import Access

# Memory limit of a fetch, in bytes; at most half of the host's memory. That is enough: git reads a
# pack piece by piece.
MOST_MEMORY = 4 << 30

Lend = Callable[[], AbstractContextManager[Access]]


@contextmanager
def exchange(lend: Lend | None, url: str, timeout: float, most: int) -> Iterator[dict[str, Any]]:
    """Yield the common part of such a request; `lend` lends the credentials meanwhile.

    `most` is how much may be downloaded, in bytes.
    """
    with lend() if lend else nullcontext(Access(url, {})) as access:
        yield {
            "url": access.url, "access": patient(access.environment, timeout), "most": most,
            "memory": memory_for_a_fetch(),
        }  # fmt: skip


def memory_for_a_fetch() -> int:
    """Return how much memory a fetch may take, in bytes (sysconf(3))."""
    return min(MOST_MEMORY, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)


def patient(environment: Mapping[str, str], timeout: float) -> dict[str, str]:
    """Return the environment of a fetch that waits for bytes as long as the whole fetch may take.

    A server may send nothing while it packs a big repository.
    """
    return {**environment, "GIT_HTTP_LOW_SPEED_TIME": str(max(1, int(timeout)))}
