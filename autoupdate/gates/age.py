"""age: is a commit old enough, and has the branch been still for long enough?

What is about time may be forced.
"""

from autoupdate.app import App
from autoupdate.gates.candidate import is_named
from autoupdate.gates.guard import look
from autoupdate.host.links import linked_release
from autoupdate.model.times import seconds
from autoupdate.model.verdict import Verdict
from autoupdate.records import first_seen


def age(app: App, commit: str) -> Verdict:
    """Refuse a commit that is too young by its own date, or by the time since it was seen here.

    The date is upstream's word; what this host has seen itself cannot be antedated. On a first
    deployment there is nothing yet that this host has seen.
    """
    least = app.settings.guard.min_age
    if not least:
        return Verdict("guard.min_age", True, "a commit may have any age", forceable=True)
    if is_named(app, commit):
        return Verdict("guard.min_age", True, "the administrator named it", forceable=True)
    now = seconds(app.clock.now())
    ages = [now - look(app, commit).committed_at]
    if linked_release(app.paths.current):
        ages.append(now - (first_seen.find(app.records, commit) or now))
    return waiting("guard.min_age", "it is", min(ages), least)


def settled(app: App, commit: str) -> Verdict:
    """Refuse a commit until the tip has been still for a while."""
    least = app.settings.guard.settle
    if not least:
        return Verdict("guard.settle", True, "the tip need not be still", forceable=True)
    if is_named(app, commit):
        return Verdict("guard.settle", True, "the administrator named it", forceable=True)
    now = seconds(app.clock.now())
    still = [now - look(app, commit).committed_at]
    if linked_release(app.paths.current):
        candidate = app.records.candidate()
        since = candidate.seen_at if candidate and candidate.commit == commit else ""
        still.append(now - seconds(since) if since else 0)
    return waiting("guard.settle", "the tip has been still for", min(still), least)


def waiting(gate: str, what: str, passed: float, least: float) -> Verdict:
    """Judge how much time has passed."""
    if passed >= least:
        return Verdict(gate, True, f"{what} {passed:g} s", forceable=True)
    reason = f"{what} {passed:g} s, and {gate} is {least:g} s: {least - passed:g} s are left"
    return Verdict(gate, False, reason, "to take it at once: autoupdatectl run --force", True)


GATES = (age, settled)
