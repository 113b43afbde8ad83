"""History: a candidate must come after what was deployed here, and a tag must stay where it was.

Otherwise upstream has rewritten its history, or somebody who stands between shows an old commit.
"""

from autoupdate.app import App
from autoupdate.gates.candidate import is_named
from autoupdate.host.links import linked_release
from autoupdate.model.steps import Result
from autoupdate.model.verdict import Verdict
from autoupdate.records import high_water, tags
from autoupdate.records.high_water import HighWater
from autoupdate.records.records import Store
from autoupdate.records.second_copy import saved_high_water

LINEAGE, TAG = "lineage", "tag"


def unmoved_tag(app: App, commit: str) -> Verdict:
    """Say whether the candidate's tag still leads to the commit where it was first seen."""
    tag = tags.tag_of(app, commit)
    if not tag:
        return Verdict(TAG, True, "it was not chosen by a tag")
    first = tags.commits(app.store).get(tag, commit)
    if first == commit:
        return Verdict(TAG, True, f"tag {tag} leads where it always did")
    if accepted_at(app.store, commit):
        return Verdict(TAG, True, f"tag {tag} was moved, and that was accepted by accept-rewrite")
    return Verdict(
        TAG,
        False,
        f"moved tag: {tag} led to commit {first} and now leads here",
        way_out(app, commit),
    )


def lineage(app: App, commit: str) -> Verdict:
    """Say whether a candidate comes after the newest commit that was ever confirmed here."""
    mark = high_water_mark(app)
    if mark is None:
        return Verdict(LINEAGE, True, "nothing was deployed before")
    if commit == mark.commit:
        return Verdict(LINEAGE, True, "it was deployed here before")
    if allowed := allowance(app, commit):
        return Verdict(LINEAGE, True, allowed)
    if by_version := compare_versions(tags.tag_of(app, commit), mark):
        return by_version._replace(advice=way_out(app, commit))
    relation = app.workshop.relation(mark.commit, commit)
    if relation == "descends":
        return Verdict(LINEAGE, True, f"it descends from commit {mark.commit}")
    if relation == "ancestor":
        reason = f"downgrade: it is an ancestor of commit {mark.commit}, which was deployed here"
    elif relation == "diverged":
        reason = f"rewritten history: it does not descend from deployed commit {mark.commit}"
    else:
        reason = f"rewritten history: upstream has deployed commit {mark.commit} no more"
    return Verdict(LINEAGE, False, reason, way_out(app, commit))


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
        return Verdict(LINEAGE, True, f"tag {tag} is a higher version than deployed {mark.tag}")
    reason = f"downgrade: tag {tag} is a lower version than {mark.tag}, which was deployed here"
    return Verdict(LINEAGE, False, reason)


def allowance(app: App, commit: str) -> str:
    """Return by whose word a candidate may have any history; empty if by nobody's."""
    if is_named(app, commit):
        return "the administrator named it"
    if at := accepted_at(app.store, commit):
        return f"it was accepted by accept-rewrite at {at}"
    return "upstream.allow_rewrite is set" if app.settings.upstream.allow_rewrite else ""


def way_out(app: App, commit: str) -> str:
    """Return what to type when a change of history is meant."""
    return f"if upstream means it: autoupdatectl accept-rewrite {commit} {app.name}"


def high_water_mark(app: App) -> HighWater | None:
    """Return the newer one of the mark and its second copy.

    An installation from before there was a mark has its current release.
    """
    kept = [high_water.read(app.store), saved_high_water(app.paths.state)]
    marks = [mark for mark in kept if mark]
    if marks:
        # A database that was put back from a backup does not lower the mark.
        return max(marks, key=lambda mark: mark.at)
    current = app.store.release(linked_release(app.paths.current))
    failed = {item.commit for item in app.store.quarantined()}
    return HighWater(current.commit, "", "") if current and current.commit not in failed else None


def raise_high_water(app: App, commit: str) -> None:
    """Record that a commit proved itself. What was named by hand moves the mark only once."""
    if high_water_mark(app) and (is_named(app, commit) or is_renewed(app, commit)):
        return
    tag = tags.tag_of(app, commit)
    with app.store.atomic():
        high_water.write(app.store, HighWater(commit, tag, app.clock.now()))
        if tag and accepted_at(app.store, commit):
            tags.let_move(app.store, tag, commit)
        app.store.write('DELETE FROM accepted_rewrites WHERE "commit" = ?', [commit])


def is_renewed(app: App, commit: str) -> bool:
    """Tell whether a commit proved itself before, and upstream was not meant to go back to it."""
    if app.settings.upstream.allow_rewrite or accepted_at(app.store, commit):
        return False
    query = 'SELECT 1 FROM transactions WHERE "commit" = ? AND result = ? LIMIT 1'
    return bool(app.store.rows(query, [commit, Result.UPDATED]))


def accepted_at(store: Store, commit: str) -> str:
    """Return when somebody typed accept-rewrite for a commit; empty if nobody did."""
    rows = store.rows('SELECT at FROM accepted_rewrites WHERE "commit" = ?', [commit])
    return str(rows[0][0]) if rows else ""
