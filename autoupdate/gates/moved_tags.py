"""tag: does the candidate's tag still lead to the commit where it was first seen?"""

from autoupdate.app import App
from autoupdate.gates.candidate import tag_of
from autoupdate.model.verdict import Verdict
from autoupdate.records import tags
from autoupdate.records.accepted_rewrites import accepted_at

GATE = "tag"


def unmoved_tag(app: App, commit: str) -> Verdict:
    """Say whether the candidate's tag still leads to the commit where it was first seen."""
    tag = tag_of(app, commit)
    if not tag:
        return Verdict(GATE, True, "it was not chosen by a tag")
    first = tags.commits(app.records).get(tag, commit)
    if first == commit:
        return Verdict(GATE, True, f"tag {tag} leads where it always did")
    if accepted_at(app.records, commit):
        return Verdict(GATE, True, f"tag {tag} was moved, and that was accepted by accept-rewrite")
    return Verdict(
        GATE,
        False,
        f"moved tag: {tag} led to commit {first} and now leads here",
        way_out(app, commit),
    )


def way_out(app: App, commit: str) -> str:
    """Return what to type when a change of history is meant."""
    return f"if upstream means it: autoupdatectl accept-rewrite {commit} {app.name}"
