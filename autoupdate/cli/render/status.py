"""Words for `status` and `check`."""

from typing import Any

from autoupdate.cli.render.layout import GREEN, RED, YELLOW, coloured, counted, fact, short

STATES = {
    "unmanaged": ("autoupdate does not look after it", YELLOW),
    "current": ("up to date", GREEN),
    "behind": ("a newer commit is waiting", YELLOW),
    "deferred": ("a newer commit is held back by policy", YELLOW),
    "updating": ("an update is under way", YELLOW),
    "probation": ("the new release is being watched", YELLOW),
    "rolled-back": ("went back to the last good release", RED),
    "failed": ("the last update failed", RED),
    "held": ("updates are on hold", YELLOW),
    "pinned": ("stays at a pinned commit", GREEN),
}
GOOD, BAD = ("active", "reloading", "refreshing"), ("failed",)


def status(facts: dict[str, Any]) -> str:
    """Return where an app stands, or where each of several does."""
    if "apps" in facts:
        return "\n\n".join(status(one) for one in facts["apps"])
    meaning, colour = STATES[facts["state"]]
    lines = [f"{facts['app']}: {coloured(facts['state'], colour)} ({meaning})"]
    for name in ("current", "previous"):
        lines += release(name, facts[name])
    candidate = facts["candidate"]
    if candidate and candidate["commit"] != (facts["current"] or {}).get("commit"):
        seen = f"{short(candidate['commit'])}  first seen {candidate['seen_at']}"
        lines.append(fact("candidate", seen))
    elif candidate:
        # A server that shows the same for ever cannot be told from a quiet project.
        lines.append(fact("upstream", f"nothing newer seen since {candidate['seen_at']}"))
    lines += steering(facts)
    last = facts["last_run"]
    if last:
        colour = RED if last["exit_code"] else ""
        lines.append(fact("last run", f"{last['result']} at {last['finished_at']}"))
        if last["exit_code"] or facts["state"] == "deferred":
            lines.append(fact("", last["reason"]))
    lines.append(fact("last success", facts["last_success_at"] or "never"))
    for item in facts["quarantine"]:
        text = f"{short(item['commit'])}  since {item['since']}: {item['reason']}"
        lines.append(fact("quarantine", text, RED))
    for name, service in facts["services"].items():
        lines.append(about_service(name, service))
    return "\n".join(lines)


def release(name: str, facts: dict[str, Any] | None) -> list[str]:
    """Return which release a link leads to."""
    if not facts:
        return []
    lines = [fact(name, f"{short(facts['commit'])}  {facts['release']}".strip())]
    words = "active since" if name == "current" else "switched to at"
    since = f"{words} {facts['activated_at']}" if facts["activated_at"] else ""
    signer = f"signed by {facts['signer']}" if facts["signer"] else ""
    if since or signer:
        lines.append(fact("", ", ".join(filter(None, (since, signer)))))
    if facts.get("trusted") is False:
        lines.append(fact("", coloured(f"not trusted: {facts['trust_reason']}", RED)))
    return lines


def steering(facts: dict[str, Any]) -> list[str]:
    """Return what an administrator said."""
    lines = []
    hold, pin = facts["hold"], facts["pin"]
    if hold:
        until = f"until {hold['until']}" if hold["until"] else "until it is lifted (unhold)"
        lines.append(fact("hold", f"since {hold['since']}, {until}", YELLOW))
        if hold["reason"]:
            lines.append(fact("", f"because: {hold['reason']}"))
    if pin:
        lines.append(fact("pin", f"{short(pin['commit'])}  since {pin['since']}", YELLOW))
    return lines


def about_service(name: str, service: dict[str, Any]) -> str:
    """Return how a service is."""
    active = service["active"]
    colour = GREEN if active in GOOD else RED if active in BAD else YELLOW
    restarts = service["restarts"]
    often = f", restarted by systemd {counted(restarts, 'time')}" if restarts else ""
    return fact("service", f"{name}: {active} ({service['sub']}){often}", colour)


def check(facts: dict[str, Any]) -> str:
    """Return what a check found."""
    if not facts["candidate"]:
        return f"{facts['app']}: {facts['reason']}\n  deployed: {facts['current'] or 'none'}"
    if facts["update"]:
        here = facts["current"] or "none"
        return f"{facts['app']}: new commit {facts['candidate']}\n  deployed: {here}"
    return f"{facts['app']}: up to date at commit {facts['current']}"
