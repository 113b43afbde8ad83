"""age: is a commit old enough, and has upstream not moved for long enough?

`run --force` ignores these gates.
"""

from autoupdate.app import App
from autoupdate.gates.candidate import NAMED, is_named
from autoupdate.gates.guard import look
from autoupdate.host.links import linked_release
from autoupdate.model.times import seconds
from autoupdate.model.verdict import Verdict
from autoupdate.records import first_seen


def age(app: App, commit: str) -> Verdict:
    """Refuse a commit that is too young by its date, or by the time since this host first saw it.

    Upstream may set any date, but not when this host saw the commit. At the first deployment only
    the date counts, because this host has seen no commit before.
    """
    least = app.settings.guard.min_age
    if not least:
        return Verdict("guard.min_age", True, "not set", forceable=True)
    if is_named(app, commit):
        return Verdict("guard.min_age", True, NAMED, forceable=True)
    now = seconds(app.clock.now())
    ages = [now - look(app, commit).committed_at]
    if linked_release(app.paths.current):
        ages.append(now - (first_seen.find(app.records, commit) or now))
    return waiting("guard.min_age", "it is {:.0f} s old", min(ages), least)


def settled(app: App, commit: str) -> Verdict:
    """Refuse a commit until upstream has not moved for some time."""
    least = app.settings.guard.settle
    if not least:
        return Verdict("guard.settle", True, "not set", forceable=True)
    if is_named(app, commit):
        return Verdict("guard.settle", True, NAMED, forceable=True)
    now = seconds(app.clock.now())
    unmoved = [now - look(app, commit).committed_at]
    if linked_release(app.paths.current):
        candidate = app.records.candidate()
        since = candidate.seen_at if candidate and candidate.commit == commit else ""
        unmoved.append(now - seconds(since) if since else 0)
    return waiting("guard.settle", "upstream has not moved for {:.0f} s", min(unmoved), least)


def waiting(gate: str, words: str, passed: float, least: float) -> Verdict:
    """Return whether enough seconds have passed; `words` say for what, with a place for them."""
    reason = words.format(passed)
    if passed >= least:
        return Verdict(gate, True, reason, forceable=True)
    reason += f", but {gate} is {least:.0f} s: wait {least - passed:.0f} s"
    return Verdict(gate, False, reason, "to update now: autoupdatectl run --force", True)


GATES = (age, settled)
