"""Words for `history` and `quarantine`."""

from collections.abc import Sequence
from typing import Any

from autoupdate.cli.render.layout import (
    GREEN,
    RED,
    YELLOW,
    advice,
    coloured,
    counted,
    short,
    wrapped,
)

COLOURS = {"updated": GREEN, "failed": RED, "rolled-back": RED, "broken": RED, "deferred": YELLOW}


def history(entries: Sequence[dict[str, Any]]) -> str:
    """Return past transactions with their reasons, newest first."""
    if not entries:
        return "no such update is on record"
    lines = []
    for entry in entries:
        result = entry["result"] or f"in step {entry['step']}"
        padded = coloured(f"{result:<13}", COLOURS.get(result, ""))
        times = f"  {counted(entry['times'], 'time')}" if entry["times"] > 1 else ""
        lines.append(
            f"{entry['started_at']}  {short(entry['commit'])}  {padded} {entry['trigger']}{times}"
        )
        lines += [f"    {line}" for line in wrapped(entry["reason"], 76)]
    return "\n".join(lines)


def quarantine(items: Sequence[dict[str, Any]]) -> str:
    """Return the commits that are not tried again."""
    if not items:
        return "no commit is in quarantine"
    lines = []
    for item in items:
        lines.append(f"{item['commit']}  since {item['since']}")
        lines += [f"    {line}" for line in wrapped(item["reason"], 76)]
    return "\n".join(
        [*lines, *advice("to have one tried again: autoupdatectl quarantine clear COMMIT", 0)]
    )
