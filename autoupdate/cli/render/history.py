"""Text of `history` and `quarantine`."""

from collections.abc import Sequence
from typing import Any

from autoupdate.cli.render.layout import (
    GREEN,
    RED,
    YELLOW,
    advice,
    coloured,
    wrapped,
)
from autoupdate.cli.render.when import ago, in_text, until
from autoupdate.model.commits import short
from autoupdate.model.sizes import counted

COLOURS = {"updated": GREEN, "failed": RED, "rolled-back": RED, "broken": RED, "deferred": YELLOW}


def history(entries: Sequence[dict[str, Any]], now: str) -> str:
    """Return past transactions with their reasons, newest first."""
    if not entries:
        return "no updates found"
    began = [ago(entry["started_at"], now) for entry in entries]
    widest = max(map(len, began))
    lines = []
    for entry, when in zip(entries, began, strict=True):
        result = entry["result"] or f"in step {entry['step']}"
        padded = coloured(f"{result:<13}", COLOURS.get(result, ""))
        times = f"  {counted(entry['times'], 'time')}" if entry["times"] > 1 else ""
        lines.append(
            f"{when:<{widest}}  {short(entry['commit'])}  {padded} {entry['trigger']}{times}"
        )
        if entry["release"]:
            lines.append(f"    release {entry['release']}")
        lines += reason(entry["reason"])
    return "\n".join(lines)


def quarantine(items: Sequence[dict[str, Any]], now: str) -> str:
    """Return the commits that failed, and when they are tried again, if they are."""
    if not items:
        return "no commit is in quarantine"
    lines = []
    for item in items:
        lines.append(f"{short(item['commit'])}  quarantined {ago(item['since'], now)}")
        if item["retry_at"]:
            lines.append(f"    tried again {until(item['retry_at'], now)}")
        lines += reason(item["reason"])
    return "\n".join(
        [*lines, *advice("to try one again: autoupdatectl quarantine clear COMMIT", 0)]
    )


def cleared(app: str, commits: Sequence[str]) -> str:
    """Return which commits were removed from quarantine."""
    if not commits:
        return f"{app}: no commit is in quarantine"
    again = "it" if len(commits) == 1 else "them"
    said = f"{app}: {counted(len(commits), 'commit')} removed from quarantine; runs may try {again}"
    said += " again:"
    return "\n".join([said, *(f"  {short(commit)}" for commit in commits)])


def reason(text: str) -> list[str]:
    """Return a reason, indented."""
    return [f"    {line}" for line in wrapped(in_text(text), 76)]
