"""Text of `plan`."""

from typing import Any

from autoupdate.cli.render.layout import (
    GREEN,
    RED,
    STRONG,
    YELLOW,
    advice,
    coloured,
    fact,
    facts,
)  # fmt: skip
from autoupdate.cli.render.versions import versions
from autoupdate.cli.render.when import in_text
from autoupdate.model.commits import short
from autoupdate.model.sizes import counted, in_words

WOULD = {
    "update": ("would update to commit {commit}", GREEN),
    "nothing": ("nothing to do, commit {commit} is deployed", GREEN),
    "defer": ("would not update now", YELLOW),
    "fail": ("the update would fail", RED),
}
GATE = 20
MOST_SHOWN = 5
MOST_PACKAGES = 20


def plan(told: dict[str, Any]) -> str:
    """Return what a run would do, then what each gate says."""
    words, colour = WOULD[told["would"]]
    said = coloured(words.format(commit=short(told["commit"])), colour)
    lines = [f"{told['app']}: {said}"]
    if told["would"] in ("defer", "fail"):
        lines.append(fact("because", in_text(told["reason"])))
        lines += advice(told["advice"], 16)
    if told["commit"] != told["deployed"]:
        lines.append(fact("deployed", short(told["deployed"]) or "nothing"))
        lines.append(fact("candidate", short(told["commit"]) or "unknown"))
    lines += [*brings(told["changes"]), *needs(told["environment"])]
    if told["release"]:
        lines.append(fact("release", f"{told['release']} is already built"))
    if told["services"]:
        lines.append(fact("restarts", ", ".join(told["services"])))
    return "\n".join([*lines, "", *map(gate, told["gates"])])


def gate(told: dict[str, Any]) -> str:
    """Return what one gate says."""
    mark = coloured("ok", GREEN) if told["passes"] else coloured("NO", RED)
    return mark + fact(f"  {told['gate']}", in_text(told["reason"]), "", GATE + 2)[2:]


def brings(told: dict[str, Any] | None) -> list[str]:
    """Return the commits and files that an update would bring."""
    if not told:
        return []
    if not told["compared"]:
        return facts("brings", [logged(entry) for entry in told["log"]])
    sums = f"{counted(told['commits'], 'commit')}, {counted(told['files'], 'file')} changed"
    log = [logged(entry) for entry in told["log"][:MOST_SHOWN]]
    more = told["commits"] - len(log)
    return facts("brings", [sums, *log, *([f"and {more:,} more"] if more > 0 else [])])


def logged(entry: dict[str, Any]) -> str:
    """Return one commit on a line."""
    day = entry["committed_at"][:10]
    return (
        f"{coloured(short(entry['commit']), STRONG)} {day} {entry['subject']} ({entry['author']})"
    )


def needs(told: dict[str, Any] | None) -> list[str]:
    """Return whether the environment is a new one, and what changes in it."""
    if not told:
        return []
    what = "reused from an earlier release" if told["reused"] else "a new one is built"
    changed = f"; changed: {', '.join(told['changed'])}" if told["changed"] else ""
    added = [f"+ {line}" for line in told["added"]]
    removed = [f"- {line}" for line in told["removed"]]
    return [*facts("environment", [what + changed, *added, *removed]), *packages(told)]


def packages(told: dict[str, Any]) -> list[str]:
    """Return the packages that the build would change, or why that is not known."""
    if why := told.get("packages_unknown"):
        return facts("packages", [f"not known before the build: {in_text(why)}"])
    if not (expected := told.get("packages")):
        return []
    lines = versions(expected)
    size = expected["download"]
    most = [f"at most {in_words(size)} to download"] if size else []
    more = len(lines) - MOST_PACKAGES
    rest = [f"and {more:,} more"] if more > 0 else []
    return facts("packages", [*most, *lines[:MOST_PACKAGES], *rest])
