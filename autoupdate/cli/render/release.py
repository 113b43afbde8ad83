"""Words for `show`."""

from typing import Any

from autoupdate.cli.render.layout import GREEN, RED, STRONG, coloured, counted, fact, facts
from autoupdate.cli.render.plan import logged

MOST_SHOWN = 20
ROLES = {
    "current": "the services run it",
    "previous": "the one before; `rollback` goes there",
    "kept": "an older one",
    "waiting": "built, and not switched to yet",
}


def release(told: dict[str, Any]) -> str:
    """Return what there is to know of a release."""
    role = told["role"]
    lines = [f"{coloured(told['release'], STRONG)}: {role} ({ROLES[role]})"]
    lines.append(fact("commit", told["commit"]))
    lines.append(fact("signer", told["signer"] or "none was recorded"))
    active = f", last switched to {told['activated_at']}" if told["activated_at"] else ""
    lines.append(fact("built", f"{told['created_at']}{active}"))
    mebibytes = told["bytes"] >> 20
    took = f", {mebibytes:,} MiB when it was built" if mebibytes else ""
    lines.append(fact("with", f"{told['interpreter']}{took}"))
    lines.append(fact("after", told["before"] or "nothing: it is the first one"))
    lines += [*commits(told), *files(told["changes"]), *versions(told["packages"])]
    return "\n".join(lines)


def commits(told: dict[str, Any]) -> list[str]:
    """Return the log of what came in."""
    changes = told["changes"]
    if changes is None:
        why = "only root may ask the mirror" if told["needs_root"] else "the mirror does not know"
        return facts("commits", [why])
    log = [logged(entry) for entry in changes["log"][:MOST_SHOWN]]
    more = changes["commits"] - len(log)
    return facts("commits", [*log, *([f"and {more:,} more"] if more > 0 else [])])


def files(changes: dict[str, Any] | None) -> list[str]:
    """Return the files that differ."""
    if not changes or not changes["compared"]:
        return []
    named = [f"{item['letter']} {item['path']}" for item in changes["paths"][:MOST_SHOWN]]
    more = changes["files"] - len(named)
    rest = [f"and {more:,} more"] if more > 0 else []
    return facts("files", [f"{counted(changes['files'], 'file')} changed", *named, *rest])


def versions(told: dict[str, Any] | None) -> list[str]:
    """Return the packages that differ."""
    if told is None:
        return []
    lines = [coloured(f"+ {name} {version}", GREEN) for name, version in told["added"].items()]
    lines += [coloured(f"- {name} {version}", RED) for name, version in told["removed"].items()]
    lines += [f"  {name} {old} → {new}" for name, (old, new) in told["changed"].items()]
    return facts("packages", lines or ["the same versions as before"])
