"""The host's clocks."""

import time


class Clock:
    """The host's clocks."""

    def monotonic(self) -> float:
        """Return the seconds of a clock that only goes forward."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def now(self) -> str:
        """Return the time of day, RFC 3339 in UTC."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
