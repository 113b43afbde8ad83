"""The second copy of what must outlive `state.db`: written beside it, read when that is lost."""

import json
import os

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


def begin_anew(state: str) -> Store:
    """Put a damaged database aside, and fill a new one from the second copy."""
    for suffix in ("", "-journal"):
        if os.path.exists(f"{state}{suffix}"):
            os.replace(f"{state}{suffix}", f"{state}.damaged{suffix}")
    store = Store(state)
    restore(store, state)
    return store


def restore(store: Store, state: str) -> None:
    """Fill a new database from the second copy; a copy that cannot be read gives nothing."""
    try:
        with open(facts_file(state), encoding="utf-8") as stream:
            facts = json.load(stream)
        releases = [Release(**item) for item in facts["releases"]]
        quarantined = [Quarantined(**item) for item in facts["quarantine"]]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for release in releases:
        store.add_release(release)
    for item in quarantined:
        store.quarantine(item.commit, item.step, item.reason, item.since)
