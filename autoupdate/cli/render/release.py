"""Text of `show`."""

from typing import Any

from autoupdate.cli.render.layout import STRONG, coloured, fact, facts
from autoupdate.cli.render.plan import logged
from autoupdate.cli.render.versions import versions
from autoupdate.cli.render.when import ago
from autoupdate.model.commits import short
from autoupdate.model.sizes import counted

MOST_SHOWN = 20
ROLES = {
    "current": "the services run it",
    "previous": "`rollback` switches to it",
    "kept": "an older release",
    "waiting": "built, not switched to yet",
}


def release(told: dict[str, Any], now: str) -> str:
    """Return what is known of a release."""
    role = told["role"]
    lines = [f"{coloured(told['release'], STRONG)}: {role} ({ROLES[role]})"]
    lines.append(fact("commit", short(told["commit"])))
    lines.append(fact("signer", told["signer"] or "none recorded"))
    lines.append(fact("built", ago(told["created_at"], now)))
    if told["activated_at"]:
        lines.append(fact("switched to", ago(told["activated_at"], now)))
    lines.append(fact("interpreter", told["interpreter"]))
    if mebibytes := told["bytes"] >> 20:
        lines.append(fact("size", f"{mebibytes:,} MiB when it was built"))
    lines.append(fact("built after", told["before"] or "no older release is recorded"))
    lines += [*commits(told), *files(told["changes"])]
    lines += facts("packages", versions(told["packages"])) if told["packages"] else []
    return "\n".join(lines)


def commits(told: dict[str, Any]) -> list[str]:
    """Return the commits since the release before it."""
    changes = told["changes"]
    if changes is None:
        why = "run it as root to see them" if told["needs_root"] else "not known to the mirror"
        return facts("commits", [why])
    log = [logged(entry) for entry in changes["log"][:MOST_SHOWN]]
    more = changes["commits"] - len(log)
    return facts("commits", [*log, *([f"and {more:,} more"] if more > 0 else [])])


def files(changes: dict[str, Any] | None) -> list[str]:
    """Return the files that changed."""
    if not changes or not changes["compared"]:
        return []
    named = [f"{item['letter']} {item['path']}" for item in changes["paths"][:MOST_SHOWN]]
    more = changes["files"] - len(named)
    rest = [f"and {more:,} more"] if more > 0 else []
    return facts("files", [f"{counted(changes['files'], 'file')} changed", *named, *rest])
