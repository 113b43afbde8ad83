"""autoupdatectl hold, unhold, pin, unpin: which commits come in, and when"""

from argparse import Namespace

from autoupdate.cli import moments
from autoupdate.cli.output import tell
from autoupdate.cli.prepare import prepare
from autoupdate.cli.render import when
from autoupdate.config.load import load
from autoupdate.gates.hold import in_words
from autoupdate.gates.pin import full_name
from autoupdate.host import runtime_files
from autoupdate.host.clock import Clock
from autoupdate.host.links import linked_release
from autoupdate.host.log_sinks import printable
from autoupdate.model.commits import short
from autoupdate.model.errors import ConfigurationError, Exit
from autoupdate.model.events import STEERED
from autoupdate.model.paths import Paths
from autoupdate.model.times import seconds
from autoupdate.records import hold as holds
from autoupdate.records import pin as pins
from autoupdate.records.second_copy import write

LONGEST_REASON = 200
RUNNING = "an update is running now, and is not stopped"


def hold(paths: Paths, app: str, chosen: Namespace) -> int:
    """Stop updates of an app until a time, or until `unhold`."""
    load(paths, app)
    now = Clock().now()
    made = holds.Hold(now, end(chosen.until, now), printable(chosen.reason.strip()))
    if len(made.reason) > LONGEST_REASON:
        raise ConfigurationError(f"--reason: must have at most {LONGEST_REASON} characters")
    steered = prepare(paths, app)
    # Without the app's lock, so that it does not wait for a running update.
    holds.put(steered.records, made)
    write(steered.records, steered.paths.state)
    steered.tell(STEERED, f"{app}: put on hold {in_words(made)}")
    end_shown = f" until {when.date_and_clock(made.until)}" if made.until else ""
    lines = [f"{app}: updates are on hold{end_shown}"]
    lines += [f"  because: {made.reason}"] if made.reason else []
    if runtime_files.is_running(steered.paths):
        lines.append(f"  {RUNNING}")
    lines.append("  services start on the deployed release")
    lines.append(f"  to end it: autoupdatectl unhold {app}")
    tell({"app": app, "hold": made._asdict()}, "\n".join(lines), chosen)
    return Exit.DONE


def end(until: str | None, now: str) -> str:
    """Return the end of a hold; empty if none was given.

    Raises ConfigurationError if `until` is not a time, or not in the future.
    """
    if until is None:
        return ""
    try:
        moment = moments.read(until, seconds(now), direction=1)
    except ValueError as error:
        raise ConfigurationError(f"--until: {error}") from None
    if moment <= now:
        shown, clock = when.date_and_clock(moment), when.date_and_clock(now)
        raise ConfigurationError(f"--until: {shown} is not in the future; it is {clock} now")
    return moment


def unhold(paths: Paths, app: str, chosen: Namespace) -> int:
    """End a hold: the app is updated again."""
    load(paths, app)
    steered = prepare(paths, app)
    found = holds.find(steered.records, steered.clock.now())
    holds.lift(steered.records)
    write(steered.records, steered.paths.state)
    # The next start of a service must not rely on a check from before the hold.
    runtime_files.set_stale(steered.paths)
    if found:
        steered.tell(STEERED, f"{app}: the hold has ended; it was set {in_words(found)}")
    words = (
        f"the hold has ended\n  to update now: autoupdatectl run {app}"
        if found
        else "there was no hold"
    )
    facts = {"app": app, "hold": None, "lifted": found._asdict() if found else None}
    tell(facts, f"{app}: {words}", chosen)
    return Exit.DONE


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
    what = f"the next run deploys it; to deploy it now: autoupdatectl run {app}"
    if runtime_files.is_running(steered.paths):
        what = f"{RUNNING}\n  the next run deploys it, if this one does not"
    elif there:
        what = "it is deployed and is kept"
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
