"""Times as they are recorded: RFC 3339 in UTC, to the second."""

import calendar
import time


def seconds(moment: str) -> int:
    """Return a time (RFC 3339 in UTC) as seconds since 1970."""
    return calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ"))


def write(moment: float) -> str:
    """Return seconds since 1970 as RFC 3339 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
