"""Which health probes have passed on this host, and whether one failed on what runs.

A probe is known by all its settings: one that was changed has not passed yet.
"""

import hashlib
from collections.abc import Iterable

from autoupdate.records.records import Records

FAULT = "probe-fault"


def _name(probe: object) -> str:
    return f"probe-passed {hashlib.sha256(repr(probe).encode()).hexdigest()[:16]}"


def has_passed(records: Records, probe: object) -> bool:
    """Return whether a probe has passed on a release that runs, or ran, on this host."""
    return bool(records.rows("SELECT 1 FROM remembered WHERE name = ?", [_name(probe)]))


def set_passed(records: Records, probes: Iterable[object], now: str) -> None:
    """Record that probes passed on what runs now."""
    with records.atomic():
        for probe in probes:
            if not has_passed(records, probe):
                name = _name(probe)
                records.write("INSERT INTO remembered VALUES (?, ?, ?)", [name, str(probe), now])
        clear_fault(records)


def set_fault(records: Records, probe: object, fault: str, now: str) -> None:
    """Record that a probe fails on what runs now: it has to pass there before the next switch."""
    with records.atomic():
        records.write("DELETE FROM remembered WHERE name = ?", [_name(probe)])
        row = [FAULT, fault, now]
        records.write("INSERT OR REPLACE INTO remembered VALUES (?, ?, ?)", row)


def clear_fault(records: Records) -> None:
    """Forget that a probe failed on what ran."""
    if fault(records):
        records.write("DELETE FROM remembered WHERE name = ?", [FAULT])


def fault(records: Records) -> str:
    """Return why the last run did not switch: which probe failed on what runs; empty otherwise."""
    rows = records.rows("SELECT about FROM remembered WHERE name = ?", [FAULT])
    return rows[0][0] if rows else ""
