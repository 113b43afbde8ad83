"""Words for people: how results look on a terminal or in plain lines."""

from collections.abc import Sequence
from typing import Any

STATES = {
    "unmanaged": "nothing deployed by autoupdate yet",
    "current": "up to date",
    "behind": "a newer commit is waiting",
    "deferred": "a newer commit is held back by policy",
    "updating": "an update is under way",
    "probation": "the new release is being watched",
    "rolled-back": "went back to the last good release",
    "failed": "the last update failed",
    "held": "updates are on hold",
    "pinned": "pinned to a commit",
}


def status(facts: dict[str, Any]) -> str:
    """Return where an app stands, a fact a line."""
    lines = [f"{facts['app']}: {facts['state']} ({STATES[facts['state']]})"]
    for name in ("current", "previous"):
        release = facts[name]
        if release:
            lines.append(f"  {name:<12} {release['commit'][:12]}  {release['release']}")
            if release["activated_at"]:
                lines.append(f"  {'':<12} active since {release['activated_at']}")
            if release["signer"]:
                lines.append(f"  {'':<12} signed by {release['signer']}")
            if release.get("trusted") is False:
                lines.append(f"  {'':<12} not trusted: {release['trust_reason']}")
    candidate = facts["candidate"]
    if candidate and candidate["commit"] != (facts["current"] or {}).get("commit"):
        lines.append(f"  {'candidate':<12} {candidate['commit'][:12]}  seen {candidate['seen_at']}")
    hold, pin = facts["hold"], facts["pin"]
    if hold:
        lines.append(
            f"  {'hold':<12} since {hold['since']}, until {hold['until'] or 'it is lifted'}"
        )
        if hold["reason"]:
            lines.append(f"  {'':<12} {hold['reason']}")
    if pin:
        lines.append(f"  {'pin':<12} {pin['commit'][:12]}  since {pin['since']}")
    last = facts["last_run"]
    if last:
        lines.append(f"  {'last run':<12} {last['result']} at {last['finished_at']}")
        if last["exit_code"] or last["result"] == "deferred":
            lines.append(f"  {'':<12} {last['reason']}")
    lines.append(f"  {'last success':<12} {facts['last_success_at'] or 'never'}")
    lines += [
        f"  {'quarantine':<12} {item['commit'][:12]}  {item['reason']}"
        for item in facts["quarantine"]
    ]
    for name, service in facts["services"].items():
        restarts = f", restarted {service['restarts']} times" if service["restarts"] else ""
        lines.append(f"  {'service':<12} {name}: {service['active']}/{service['sub']}{restarts}")
    return "\n".join(lines)


def quarantine(items: Sequence[dict[str, Any]]) -> str:
    """Return the commits that are not tried again, one a line."""
    if not items:
        return "no commit is in quarantine"
    return "\n".join(
        f"{item['commit']}  since {item['since']}\n    {item['reason']}" for item in items
    )


def history(entries: Sequence[dict[str, Any]]) -> str:
    """Return past transactions, one a line."""
    if not entries:
        return "no update has been made yet"
    lines = []
    for entry in entries:
        result = entry["result"] or f"in step {entry['step']}"
        line = f"{entry['started_at']}  {entry['commit'][:12]}  {result:<12}  {entry['trigger']}"
        lines.append(line + (f"\n    {entry['reason']}" if entry["reason"] else ""))
    return "\n".join(lines)


def check(facts: dict[str, Any]) -> str:
    """Return what a check found."""
    if facts["update"]:
        return (
            f"{facts['app']}: new commit {facts['candidate']} (here: {facts['current'] or 'none'})"
        )
    return f"{facts['app']}: up to date at commit {facts['current']}"
