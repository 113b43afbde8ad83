"""autoupdatectl hold, unhold"""

from argparse import Namespace

from autoupdate.cli import moments
from autoupdate.cli.output import tell
from autoupdate.cli.prepare import prepare
from autoupdate.config.load import load
from autoupdate.gates.hold import end_in_words, in_words
from autoupdate.host import runtime_files
from autoupdate.host.clock import Clock
from autoupdate.host.log_sinks import printable
from autoupdate.model.errors import ConfigurationError, Exit
from autoupdate.model.events import STEERED
from autoupdate.model.paths import Paths
from autoupdate.model.times import seconds
from autoupdate.records import hold as holds
from autoupdate.records.second_copy import write

LONGEST_REASON = 200


def hold(paths: Paths, app: str, chosen: Namespace) -> int:
    """Keep an app as it is, until a moment or until that is lifted."""
    load(paths, app)
    now = Clock().now()
    made = holds.Hold(now, end(chosen.until, now), printable(chosen.reason.strip()))
    if len(made.reason) > LONGEST_REASON:
        raise ConfigurationError(f"--reason: must have at most {LONGEST_REASON} characters")
    steered = prepare(paths, app)
    # Not under the lock of the app: an update that is under way must not be waited for.
    holds.put(steered.records, made)
    write(steered.records, steered.paths.state)
    steered.tell(STEERED, f"{app}: put on hold {in_words(made)}")
    lines = [f"{app}: on hold {end_in_words(made)}"]
    lines += [f"  because: {made.reason}"] if made.reason else []
    if runtime_files.is_running(steered.paths):
        lines.append("  an update is under way, and goes on")
    lines.append("  services start on the release in place")
    lines.append(f"  to end it: autoupdatectl unhold {app}")
    tell({"app": app, "hold": made._asdict()}, "\n".join(lines), chosen)
    return Exit.DONE


def end(until: str | None, now: str) -> str:
    """Return the moment that was given as the end of a hold; empty for none.

    Raises ConfigurationError for one that cannot be read or has passed.
    """
    if until is None:
        return ""
    try:
        moment = moments.read(until, seconds(now), direction=1)
    except ValueError as error:
        raise ConfigurationError(f"--until: {error}") from None
    if moment <= now:
        raise ConfigurationError(f"--until: {moment} has passed already; now it is {now}")
    return moment


def unhold(paths: Paths, app: str, chosen: Namespace) -> int:
    """Let an app be updated again."""
    load(paths, app)
    steered = prepare(paths, app)
    found = holds.find(steered.records, steered.clock.now())
    holds.lift(steered.records)
    write(steered.records, steered.paths.state)
    # The next start of a service must not rely on a check from before.
    runtime_files.set_stale(steered.paths)
    if found:
        steered.tell(STEERED, f"{app}: the hold {in_words(found)} is lifted")
    words = (
        f"the hold is lifted\n  the next run updates again; at once: autoupdatectl run {app}"
        if found
        else "there was no hold"
    )
    facts = {"app": app, "hold": None, "lifted": found._asdict() if found else None}
    tell(facts, f"{app}: {words}", chosen)
    return Exit.DONE
