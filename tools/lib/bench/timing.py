"""Times that can be compared on a machine that also does other work: interleaved, medians."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Times(NamedTuple):
    """Wall-clock seconds of several runs of the same work."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Half the distance of the quartiles, in seconds."""
        if len(self.seconds) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return (high - low) / 2


def once(work: Callable[[], object]) -> float:
    """Return how many seconds some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def interleaved(
    works: Mapping[str, Callable[[], object]],
    rounds: int,
    prepare: Callable[[], object] = lambda: None,
    rare: Mapping[str, int] | None = None,
) -> dict[str, Times]:
    """Do each kind of work once in each round, so that slow moments affect all of them.

    `prepare` runs before each kind of work and is not timed. What is in `rare` is done in the first
    rounds only, because it takes long.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name, work in works.items():
            if number < (rare or {}).get(name, rounds):
                prepare()
                seconds[name].append(once(work))
    return {name: Times(tuple(values)) for name, values in seconds.items()}
