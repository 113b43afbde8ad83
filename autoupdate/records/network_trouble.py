"""The server that updates cannot do without and that does not work: which one, since when, why."""

from typing import NamedTuple

from autoupdate.records import remembered
from autoupdate.records.records import Records

NAME = "network trouble"


class NetworkTrouble(NamedTuple):
    """Trouble with a server (empty: unknown), since its first failure, in words of the last one."""

    server: str
    since: str
    reason: str


def find(records: Records) -> NetworkTrouble | None:
    """Return the trouble that lasts."""
    known = remembered.recall(records, NAME)
    if known is None:
        return None
    server, _, reason = known.about.partition("\n")
    return NetworkTrouble(server, known.since, reason)


def note(records: Records, server: str, reason: str, at: str) -> None:
    """Record trouble with a server; if it is that which is known, its beginning is kept."""
    known = find(records)
    since = known.since if known and known.server == server else at
    if known != (server, since, reason):
        remembered.keep(records, NAME, f"{server}\n{reason}", since)


def end(records: Records, server: str = "") -> None:
    """Record that a server works again; without one, that all that were needed do."""
    known = find(records)
    if known and server in ("", known.server):
        remembered.forget(records, NAME)
