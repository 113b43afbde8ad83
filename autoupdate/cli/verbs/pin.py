"""autoupdatectl pin, unpin"""

from argparse import Namespace

from autoupdate.cli.output import tell
from autoupdate.cli.prepare import prepare
from autoupdate.config.load import load
from autoupdate.gates.pin import full_name
from autoupdate.host import runtime_files
from autoupdate.host.links import linked_release
from autoupdate.model.commits import short
from autoupdate.model.errors import Exit
from autoupdate.model.events import STEERED
from autoupdate.model.paths import Paths
from autoupdate.records import pin as pins
from autoupdate.records.second_copy import write


def pin(paths: Paths, app: str, chosen: Namespace) -> int:
    """Deploy one commit and keep it."""
    load(paths, app)
    steered = prepare(paths, app)
    try:
        made = pins.Pin(full_name(steered, chosen.commit), steered.clock.now())
    finally:
        steered.worker.close()
    pins.put(steered.records, made)
    write(steered.records, steered.paths.state)
    runtime_files.set_stale(steered.paths)
    steered.tell(STEERED, f"{app}: pinned to commit {short(made.commit)}", commit=made.commit)
    current = steered.records.release(linked_release(steered.paths.current))
    there = current is not None and current.commit == made.commit
    what = (
        "it is deployed and is kept"
        if there
        else f"the next run deploys it; to deploy it now: autoupdatectl run {app}"
    )
    tell(
        {"app": app, "pin": made._asdict(), "deployed": there},
        f"{app}: pinned to commit {short(made.commit)}\n  {what}\n"
        f"  to follow upstream again: autoupdatectl unpin {app}",
        chosen,
    )
    return Exit.DONE


def unpin(paths: Paths, app: str, chosen: Namespace) -> int:
    """Follow upstream again."""
    settings = load(paths, app)
    steered = prepare(paths, app)
    found = pins.find(steered.records)
    pins.remove(steered.records)
    write(steered.records, steered.paths.state)
    runtime_files.set_stale(steered.paths)
    if found:
        steered.tell(STEERED, f"{app}: no longer pinned to commit {short(found.commit)}")
    words = (
        f"no longer pinned; the next run follows {settings.upstream.track}"
        if found
        else "was not pinned"
    )
    facts = {"app": app, "pin": None, "removed": found._asdict() if found else None}
    tell(facts, f"{app}: {words}", chosen)
    return Exit.DONE
