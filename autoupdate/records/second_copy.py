"""A second copy of the important state, next to `state.db`; read when that is lost or damaged."""

import json
import os
from collections.abc import Callable
from contextlib import suppress

from autoupdate.host import runtime_files
from autoupdate.host.links import sync_directory
from autoupdate.model.paths import AppPaths
from autoupdate.model.steps import Step
from autoupdate.records import high_water, hold, pin
from autoupdate.records.database import DamagedStateError, StateError
from autoupdate.records.high_water import HighWater
from autoupdate.records.records import Records
from autoupdate.records.rows import Quarantined, Release, Transaction


def facts_file(state: str) -> str:
    """Return the path of the second copy."""
    return f"{os.path.dirname(state)}/facts.json"


def has_facts(state: str) -> bool:
    """Return whether there is a second copy, and no half-written one after a power cut."""
    file = facts_file(state)
    return os.path.exists(file) and not os.path.exists(f"{file}.new")


def write(records: Records, state: str) -> None:
    """Write releases, quarantine and an open transaction to the copy; atomic and durable."""
    unfinished, mark = records.unfinished(), high_water.read(records)
    held, pinned = hold.read(records), pin.find(records)
    facts = {
        "transaction": unfinished._asdict() if unfinished else None,
        "releases": [release._asdict() for release in records.releases()],
        "quarantine": [item._asdict() for item in records.quarantined()],
        "hold": held._asdict() if held else None,
        "pin": pinned._asdict() if pinned else None,
        "high_water": mark._asdict() if mark else None,
    }
    temporary = f"{facts_file(state)}.new"
    with open(temporary, "w", encoding="utf-8") as stream:
        json.dump(facts, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(temporary, facts_file(state))
    sync_directory(os.path.dirname(state))


def saved_high_water(state: str) -> HighWater | None:
    """Return the second copy of the high-water mark; None without one that can be read."""
    try:
        with open(facts_file(state), encoding="utf-8") as stream:
            mark = HighWater(**json.load(stream)["high_water"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return mark if all(isinstance(field, str) for field in mark) else None


def open_state(paths: AppPaths, damaged: Callable[[DamagedStateError], None]) -> Records:
    """Open the state; if it is missing or damaged, restore it from the second copy."""
    with runtime_files.opening_state(paths):
        try:
            if os.path.exists(paths.state) and os.path.getsize(paths.state):
                return Records(paths.state)
        except DamagedStateError as error:
            damaged(error)
        return _begin_anew(paths.state)


def begin_anew(paths: AppPaths) -> Records:
    """Put a damaged database aside, and fill a new one from the second copy."""
    with runtime_files.opening_state(paths):
        return _begin_anew(paths.state)


def _begin_anew(state: str) -> Records:
    for suffix in ("", "-journal"):
        if os.path.exists(f"{state}{suffix}"):
            os.replace(f"{state}{suffix}", f"{state}.damaged{suffix}")
        with suppress(FileNotFoundError):
            os.unlink(f"{state}.new{suffix}")
    # It gets its name when it is complete. If this run dies before, the next one starts over.
    records = Records(f"{state}.new")
    restore(records, state)
    records.close()
    os.rename(f"{state}.new", state)
    sync_directory(os.path.dirname(state))
    return Records(state)


def restore(records: Records, state: str) -> None:
    """Fill a new database from the second copy; a copy that cannot be read is ignored."""
    try:
        with open(facts_file(state), encoding="utf-8") as stream:
            facts = json.load(stream)
        with records.atomic():
            for item in facts["releases"]:
                records.add_release(Release(**item))
            for item in facts["quarantine"]:
                records.restore_quarantined(Quarantined(**item))
            if facts.get("hold"):
                hold.put(records, hold.Hold(**facts["hold"]))
            if facts.get("pin"):
                pin.put(records, pin.Pin(**facts["pin"]))
            if facts.get("high_water"):
                high_water.write(records, HighWater(**facts["high_water"]))
            if facts.get("transaction"):
                records.add_transaction(_as_it_may_be(Transaction(**facts["transaction"])))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, StateError):
        return


def _as_it_may_be(transaction: Transaction) -> Transaction:
    """Return an open transaction at the last step that it may have reached, unrecorded."""
    if transaction.step in (Step.PROBATION, Step.ROLL_BACK):
        return transaction
    # If nothing was switched, recovery discards it; otherwise it restarts the services.
    return transaction._replace(step=Step.ACTIVATE)
