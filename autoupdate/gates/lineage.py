"""lineage: does a candidate descend from what was deployed here?

If not, upstream has rewritten its history, or an attacker offers an old commit.
"""

from autoupdate.app import App
from autoupdate.gates.candidate import NAMED, is_named, tag_of
from autoupdate.gates.moved_tags import way_out
from autoupdate.host.links import linked_release
from autoupdate.model.commits import short
from autoupdate.model.steps import Result
from autoupdate.model.verdict import Verdict
from autoupdate.records import accepted_rewrites, high_water, tags
from autoupdate.records.accepted_rewrites import accepted_at
from autoupdate.records.high_water import HighWater
from autoupdate.records.second_copy import saved_high_water

GATE = "lineage"


def lineage(app: App, commit: str) -> Verdict:
    """Refuse a candidate that does not descend from the newest commit that was confirmed here."""
    mark = high_water_mark(app)
    if mark is None:
        return Verdict(GATE, True, "nothing was deployed before")
    if commit == mark.commit:
        return Verdict(GATE, True, "it was already deployed here")
    if allowed := allowance(app, commit):
        return Verdict(GATE, True, allowed)
    if by_version := compare_versions(tag_of(app, commit), mark):
        return by_version._replace(advice=way_out(app, commit))
    relation, deployed = app.worker.relation(mark.commit, commit), short(mark.commit)
    if relation == "descends":
        return Verdict(GATE, True, f"it descends from commit {deployed}")
    if relation == "ancestor":
        reason = f"downgrade: it is an ancestor of commit {deployed}, which was deployed here"
    elif relation == "diverged":
        reason = f"rewritten history: it does not descend from deployed commit {deployed}"
    else:
        reason = f"rewritten history: upstream no longer has deployed commit {deployed}"
    return Verdict(GATE, False, reason, way_out(app, commit))


def compare_versions(tag: str, mark: HighWater) -> Verdict | None:
    """Compare the versions of two tags; None without two different ones.

    Commits of different release branches do not descend from each other.
    """
    if not tag or not mark.tag:
        return None
    from autoupdate.model.track import version_of

    version, deployed = version_of(tag), version_of(mark.tag)
    if version is None or deployed is None or version == deployed:
        return None
    if version > deployed:
        return Verdict(GATE, True, f"tag {tag} is a higher version than deployed tag {mark.tag}")
    reason = f"downgrade: tag {tag} is a lower version than {mark.tag}, which was deployed here"
    return Verdict(GATE, False, reason)


def allowance(app: App, commit: str) -> str:
    """Return why the history of a candidate is not checked; empty if it is."""
    if is_named(app, commit):
        return NAMED
    if at := accepted_at(app.records, commit):
        return f"not checked: accepted with accept-rewrite at {at}"
    rewrites = app.settings.upstream.allow_rewrite
    return "not checked (upstream.allow_rewrite = true)" if rewrites else ""


def high_water_mark(app: App) -> HighWater | None:
    """Return the newer one of the high-water mark and its second copy.

    Without both it is the current release: older versions of this package recorded no mark.
    """
    kept = [high_water.read(app.records), saved_high_water(app.paths.state)]
    marks = [mark for mark in kept if mark]
    if marks:
        # A database that was restored from a backup must not lower the mark.
        return max(marks, key=lambda mark: mark.at)
    current = app.records.release(linked_release(app.paths.current))
    failed = {item.commit for item in app.records.quarantined()}
    return HighWater(current.commit, "", "") if current and current.commit not in failed else None


def raise_high_water(app: App, commit: str) -> None:
    """Set the mark to a confirmed commit; to one chosen by hand only if there is no mark."""
    if high_water_mark(app) and (is_named(app, commit) or is_renewed(app, commit)):
        return
    tag = tag_of(app, commit)
    with app.records.atomic():
        high_water.write(app.records, HighWater(commit, tag, app.clock.now()))
        if tag and accepted_at(app.records, commit):
            tags.let_move(app.records, tag, commit)
        accepted_rewrites.forget(app.records, commit)


def is_renewed(app: App, commit: str) -> bool:
    """Return whether a commit was confirmed before, and no rewrite to it is allowed."""
    if app.settings.upstream.allow_rewrite or accepted_at(app.records, commit):
        return False
    query = 'SELECT 1 FROM transactions WHERE "commit" = ? AND result = ? LIMIT 1'
    return bool(app.records.rows(query, [commit, Result.UPDATED]))
