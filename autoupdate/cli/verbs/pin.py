"""autoupdatectl pin, unpin"""

from argparse import Namespace

from autoupdate.cli.output import tell
from autoupdate.cli.prepare import ready
from autoupdate.config.load import load
from autoupdate.host import runtime_files
from autoupdate.host.links import linked_release
from autoupdate.model.errors import Exit
from autoupdate.model.events import STEERED
from autoupdate.model.paths import Paths
from autoupdate.records import pin as pins
from autoupdate.records.second_copy import write_facts


def pin(paths: Paths, app: str, chosen: Namespace) -> int:
    """Stay at one commit."""
    load(paths, app)
    steered = ready(paths, app)
    try:
        made = pins.Pin(pins.full_name(steered, chosen.commit), steered.clock.now())
    finally:
        steered.workshop.close()
    pins.put(steered.store, made)
    write_facts(steered.store, steered.paths.state)
    runtime_files.set_stale(steered.paths)
    steered.tell(STEERED, f"{app}: pinned to commit {made.commit}", commit=made.commit)
    current = steered.store.release(linked_release(steered.paths.current))
    there = current is not None and current.commit == made.commit
    what = (
        "it is deployed, and stays"
        if there
        else f"the next run brings it in; at once: autoupdatectl run {app}"
    )
    tell(
        {"app": app, "pin": made._asdict(), "deployed": there},
        f"{app}: pinned to commit {made.commit}\n  {what}\n"
        f"  to follow upstream again: autoupdatectl unpin {app}",
        chosen,
    )
    return Exit.DONE


def unpin(paths: Paths, app: str, chosen: Namespace) -> int:
    """Follow upstream again."""
    settings = load(paths, app)
    steered = ready(paths, app)
    found = pins.find(steered.store)
    pins.remove(steered.store)
    write_facts(steered.store, steered.paths.state)
    runtime_files.set_stale(steered.paths)
    if found:
        steered.tell(STEERED, f"{app}: not pinned to commit {found.commit} any more")
    words = (
        f"follows {settings.upstream.track} again from the next run on"
        if found
        else "was not pinned"
    )
    facts = {"app": app, "pin": None, "removed": found._asdict() if found else None}
    tell(facts, f"{app}: {words}", chosen)
    return Exit.DONE
