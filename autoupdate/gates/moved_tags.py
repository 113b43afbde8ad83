"""tag: does the candidate's tag still point to the commit where this host first saw it?"""

from autoupdate.app import App
from autoupdate.gates.candidate import tag_of
from autoupdate.model.commits import short
from autoupdate.model.verdict import Verdict
from autoupdate.records import tags
from autoupdate.records.accepted_rewrites import accepted_at

GATE = "tag"


def unmoved_tag(app: App, commit: str) -> Verdict:
    """Refuse a candidate whose tag pointed to another commit when this host first saw it."""
    tag = tag_of(app, commit)
    if not tag:
        return Verdict(GATE, True, "not checked: the commit was not chosen by a tag")
    first = tags.commits(app.records).get(tag, commit)
    if first == commit:
        return Verdict(GATE, True, f"tag {tag} has not moved")
    if accepted_at(app.records, commit):
        return Verdict(GATE, True, f"tag {tag} has moved, which accept-rewrite has accepted")
    return Verdict(
        GATE,
        False,
        f"moved tag: {tag} pointed to commit {short(first)}, now to commit {short(commit)}",
        way_out(app, commit),
    )


def way_out(app: App, commit: str) -> str:
    """Return the command that accepts a change of history."""
    return f"if upstream intended this: autoupdatectl accept-rewrite {commit} {app.name}"
