"""History: a candidate must come after what was deployed here, and a tag must stay where it was.

Otherwise upstream has rewritten its history, or somebody who stands between shows an old commit.
"""

from autoupdate.app import App
from autoupdate.gates.candidate import is_named, tag_of
from autoupdate.gates.moved_tags import way_out
from autoupdate.host.links import linked_release
from autoupdate.model.steps import Result
from autoupdate.model.verdict import Verdict
from autoupdate.records import accepted_rewrites, high_water, tags
from autoupdate.records.accepted_rewrites import accepted_at
from autoupdate.records.high_water import HighWater
from autoupdate.records.second_copy import saved_high_water

GATE = "lineage"


def lineage(app: App, commit: str) -> Verdict:
    """Say whether a candidate comes after the newest commit that was ever confirmed here."""
    mark = high_water_mark(app)
    if mark is None:
        return Verdict(GATE, True, "nothing was deployed before")
    if commit == mark.commit:
        return Verdict(GATE, True, "it was deployed here before")
    if allowed := allowance(app, commit):
        return Verdict(GATE, True, allowed)
    if by_version := compare_versions(tag_of(app, commit), mark):
        return by_version._replace(advice=way_out(app, commit))
    relation = app.worker.relation(mark.commit, commit)
    if relation == "descends":
        return Verdict(GATE, True, f"it descends from commit {mark.commit}")
    if relation == "ancestor":
        reason = f"downgrade: it is an ancestor of commit {mark.commit}, which was deployed here"
    elif relation == "diverged":
        reason = f"rewritten history: it does not descend from deployed commit {mark.commit}"
    else:
        reason = f"rewritten history: upstream has deployed commit {mark.commit} no more"
    return Verdict(GATE, False, reason, way_out(app, commit))


def compare_versions(tag: str, mark: HighWater) -> Verdict | None:
    """Judge two tags by their versions; None without two different ones.

    Commits of different release branches need not descend from one another.
    """
    if not tag or not mark.tag:
        return None
    from autoupdate.model.track import version_of

    version, deployed = version_of(tag), version_of(mark.tag)
    if version is None or deployed is None or version == deployed:
        return None
    if version > deployed:
        return Verdict(GATE, True, f"tag {tag} is a higher version than deployed {mark.tag}")
    reason = f"downgrade: tag {tag} is a lower version than {mark.tag}, which was deployed here"
    return Verdict(GATE, False, reason)


def allowance(app: App, commit: str) -> str:
    """Return by whose word a candidate may have any history; empty if by nobody's."""
    if is_named(app, commit):
        return "the administrator named it"
    if at := accepted_at(app.records, commit):
        return f"it was accepted by accept-rewrite at {at}"
    return "upstream.allow_rewrite is set" if app.settings.upstream.allow_rewrite else ""


def high_water_mark(app: App) -> HighWater | None:
    """Return the newer one of the mark and its second copy.

    An installation from before there was a mark has its current release.
    """
    kept = [high_water.read(app.records), saved_high_water(app.paths.state)]
    marks = [mark for mark in kept if mark]
    if marks:
        # A database that was put back from a backup does not lower the mark.
        return max(marks, key=lambda mark: mark.at)
    current = app.records.release(linked_release(app.paths.current))
    failed = {item.commit for item in app.records.quarantined()}
    return HighWater(current.commit, "", "") if current and current.commit not in failed else None


def raise_high_water(app: App, commit: str) -> None:
    """Record that a commit proved itself. What was named by hand moves the mark only once."""
    if high_water_mark(app) and (is_named(app, commit) or is_renewed(app, commit)):
        return
    tag = tag_of(app, commit)
    with app.records.atomic():
        high_water.write(app.records, HighWater(commit, tag, app.clock.now()))
        if tag and accepted_at(app.records, commit):
            tags.let_move(app.records, tag, commit)
        accepted_rewrites.forget(app.records, commit)


def is_renewed(app: App, commit: str) -> bool:
    """Tell whether a commit proved itself before, and upstream was not meant to go back to it."""
    if app.settings.upstream.allow_rewrite or accepted_at(app.records, commit):
        return False
    query = 'SELECT 1 FROM transactions WHERE "commit" = ? AND result = ? LIMIT 1'
    return bool(app.records.rows(query, [commit, Result.UPDATED]))
