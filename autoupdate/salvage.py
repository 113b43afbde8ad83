"""The second copy of what must outlive `state.db`: written beside it, read when that is lost."""

import json
import os
from collections.abc import Callable
from contextlib import suppress

from autoupdate import runtime
from autoupdate.database import DamagedStateError, StateError
from autoupdate.paths import AppPaths
from autoupdate.publish import sync_directory
from autoupdate.store import Quarantined, Release, Store


def facts_file(state: str) -> str:
    """Return the path of the second copy."""
    return f"{os.path.dirname(state)}/facts.json"


def write_facts(store: Store, state: str) -> None:
    """Write the releases and the quarantine beside the database; atomic and durable."""
    facts = {
        "releases": [release._asdict() for release in store.releases()],
        "quarantine": [item._asdict() for item in store.quarantined()],
    }
    temporary = f"{facts_file(state)}.new"
    with open(temporary, "w", encoding="utf-8") as stream:
        json.dump(facts, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(temporary, facts_file(state))
    sync_directory(os.path.dirname(state))


def open_state(paths: AppPaths, damaged: Callable[[DamagedStateError], None]) -> Store:
    """Open the state; one that is missing or damaged is filled from its second copy."""
    with runtime.opening_state(paths):
        try:
            if os.path.exists(paths.state) and os.path.getsize(paths.state):
                return Store(paths.state)
        except DamagedStateError as error:
            damaged(error)
        return _begin_anew(paths.state)


def begin_anew(paths: AppPaths) -> Store:
    """Put a damaged database aside, and fill a new one from the second copy."""
    with runtime.opening_state(paths):
        return _begin_anew(paths.state)


def _begin_anew(state: str) -> Store:
    for suffix in ("", "-journal"):
        if os.path.exists(f"{state}{suffix}"):
            os.replace(f"{state}{suffix}", f"{state}.damaged{suffix}")
        with suppress(FileNotFoundError):
            os.unlink(f"{state}.new{suffix}")
    # It gets its name when it is complete: if we die before, the next run finds none, as we did.
    store = Store(f"{state}.new")
    restore(store, state)
    store.close()
    os.rename(f"{state}.new", state)
    sync_directory(os.path.dirname(state))
    return Store(state)


def restore(store: Store, state: str) -> None:
    """Fill a new database from the second copy; a copy that cannot be read gives nothing."""
    try:
        with open(facts_file(state), encoding="utf-8") as stream:
            facts = json.load(stream)
        with store.atomic():
            for item in facts["releases"]:
                store.add_release(Release(**item))
            for item in facts["quarantine"]:
                found = Quarantined(**item)
                store.quarantine(found.commit, found.step, found.reason, found.since)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, StateError):
        return
