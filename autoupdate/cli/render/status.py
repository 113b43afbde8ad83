"""Text of `status` and `check`."""

from typing import Any

from autoupdate.cli.render.layout import GREEN, RED, YELLOW, advice, coloured, fact
from autoupdate.cli.render.when import ago, in_text, until
from autoupdate.config.run_from import adoption
from autoupdate.model.commits import short
from autoupdate.model.sizes import counted

STATES = {
    "unmanaged": ("not managed by autoupdate", YELLOW),
    "current": ("up to date", GREEN),
    "behind": ("a newer commit is waiting", YELLOW),
    "deferred": ("a newer commit is held back by policy", YELLOW),
    "updating": ("an update is running", YELLOW),
    "probation": ("the new release is being watched", YELLOW),
    "rolled-back": ("rolled back to the last good release", RED),
    "failed": ("the last update failed", RED),
    "held": ("updates are on hold", YELLOW),
    "pinned": ("kept at the pinned commit", GREEN),
}
# How the last run ended.
RESULTS = {
    "updated": "updated {ago}",
    "deferred": "update deferred {ago}",
    "failed": "failed {ago}",
    "rolled-back": "rolled back {ago}",
    "broken": "update and rollback failed {ago}",
    "unreachable": "upstream unreachable, tried {ago}",
    "refused": "configuration error {ago}",
    "interrupted": "interrupted {ago}",
    "given-back": "given back as a plain checkout {ago}",
}
GOOD, BAD = ("active", "reloading", "refreshing"), ("failed",)


def status(facts: dict[str, Any], now: str) -> str:
    """Return the state of an app, or of several."""
    if "apps" in facts:
        return "\n\n".join(status(one, now) for one in facts["apps"])
    meaning, colour = in_words(facts)
    lines = [f"{facts['app']}: {coloured(facts['state'], colour)} ({meaning})"]
    lines += unfinished(facts)
    if not facts["current"]:
        lines.append(fact("current", "nothing is deployed"))
    for name in ("current", "previous"):
        lines += release(name, facts[name], now)
    lines += [*upstream(facts, now), *steering(facts, now), *last_run(facts, now)]
    if trouble := facts["network_trouble"]:
        server = trouble["server"] or "a server that the build needs"
        lines.append(
            fact("network", f"trouble with {server}, began {ago(trouble['since'], now)}", RED)
        )
    success = facts["last_success_at"]
    lines.append(fact("last success", ago(success, now) if success else "never"))
    for item in facts["quarantine"]:
        lines.append(fact("quarantine", f"{short(item['commit'])}  {ago(item['since'], now)}", RED))
        if item["retry_at"]:
            lines.append(fact("", f"tried again {until(item['retry_at'], now)}"))
        lines.append(fact("", in_text(item["reason"])))
    for item in facts["rehearsal"]["left_out"]:
        lines.append(fact("rehearsal", f"without {item['name']}, since {ago(item['since'], now)}"))
        lines.append(fact("", in_text(item["about"])))
    for name, service in facts["services"].items():
        lines.append(about_service(name, service))
    for place in dict.fromkeys(item["runs_from"] for item in facts["services"].values()):
        if place:
            # On one line each, however long: the package's postinst reads them, people copy them.
            lines += [f"  {coloured('runs from', YELLOW)}     {place} (not managed)",
                      f"{'':16}{adoption(place, facts['app'])}"]  # fmt: skip
    return "\n".join(lines)


def in_words(facts: dict[str, Any]) -> tuple[str, str]:
    """Return what the state means, and its colour."""
    if facts["state"] == "probation" and not facts["watched"]:
        return "the new release serves, but nobody watches it", RED
    return STATES[facts["state"]]


def unfinished(facts: dict[str, Any]) -> list[str]:
    """Return what was interrupted, and the command that finishes or undoes it."""
    run = f"autoupdatectl run {facts['app']}"
    if facts["state"] == "probation" and not facts["watched"]:
        return [
            fact("not watched", "to watch it, and to roll back if it is bad:", RED),
            *advice(run),
        ]
    if found := facts["interrupted"]:
        what = f"{short(found['commit'])}  in step {found['step']}".strip()
        return [fact("interrupted", f"{what}; to finish or undo it:", YELLOW), *advice(run)]
    return []


def release(name: str, facts: dict[str, Any] | None, now: str) -> list[str]:
    """Return which release a link points to."""
    if not facts:
        return []
    lines = [fact(name, f"{short(facts['commit'])}  {facts['release']}".strip())]
    switched = f"switched to {ago(facts['activated_at'], now)}" if facts["activated_at"] else ""
    signer = f"signed by {facts['signer']}" if facts["signer"] else ""
    if switched or signer:
        lines.append(fact("", ", ".join(filter(None, (switched, signer)))))
    if facts.get("trusted") is False:
        lines.append(fact("", coloured(f"not trusted: {in_text(facts['trust_reason'])}", RED)))
    return lines


def upstream(facts: dict[str, Any], now: str) -> list[str]:
    """Return the newest commit seen upstream, unless it is pinned: then upstream is not asked."""
    candidate = facts["candidate"]
    if not candidate:
        return []
    seen = ago(candidate["seen_at"], now)
    if candidate["commit"] != (facts["current"] or {}).get("commit"):
        return [fact("candidate", f"{short(candidate['commit'])}  first seen {seen}")]
    if facts["pin"]:
        return []
    # A server that shows the same commit for ever looks like a project without new commits.
    return [fact("upstream", f"last new commit seen {seen}")]


def steering(facts: dict[str, Any], now: str) -> list[str]:
    """Return the hold and the pin."""
    lines = []
    hold, pin = facts["hold"], facts["pin"]
    if hold:
        end = f"ends {until(hold['until'], now)}" if hold["until"] else "until unhold"
        why = f": {hold['reason']}" if hold["reason"] else ""
        lines.append(fact("hold", end, YELLOW))
        lines.append(fact("", f"set {ago(hold['since'], now)}{why}"))
    if pin:
        lines.append(fact("pin", f"{short(pin['commit'])}  set {ago(pin['since'], now)}", YELLOW))
    return lines


def last_run(facts: dict[str, Any], now: str) -> list[str]:
    """Return how the last run ended, with the reason if it did not go well."""
    last = facts["last_run"]
    if not last:
        return []
    when = ago(last["finished_at"], now)
    words, shown = RESULTS.get(last["result"], "ended {ago}"), last["exit_code"]
    if last["result"] == "current":
        # `adopt --look` and a run that only looks for an interrupted one do not look for a commit.
        commit = short((facts["current"] or {}).get("commit", ""))
        shown = not commit or commit not in last["reason"]
        words = "ended {ago}" if shown else "up to date, checked {ago}"
    elif last["result"] == "unreachable" and "upstream" not in last["reason"]:
        # The package index, or the server of a submodule.
        words = "server unreachable, tried {ago}"
    lines = [fact("last run", words.format(ago=when))]
    if shown or facts["state"] == "deferred":
        lines.append(fact("", in_text(last["reason"].removeprefix(f"{facts['app']}: "))))
    return lines


def about_service(name: str, service: dict[str, Any]) -> str:
    """Return the state of a service."""
    active = service["active"]
    colour = GREEN if active in GOOD else RED if active in BAD else YELLOW
    restarts = service["restarts"]
    often = f", restarted by systemd {counted(restarts, 'time')}" if restarts else ""
    said = f": {service['text']}" if service["text"] else ""
    if service["unit"] != "loaded":
        gone = "masked" if service["unit"] == "masked" else "gone"
        said = f": its unit is {gone}, so it runs what it was started with"
    return fact("service", f"{name}: {active} ({service['sub']}){often}{said}", colour)


def check(facts: dict[str, Any]) -> str:
    """Return what a check found."""
    deployed = f"\n  deployed: {short(facts['current'] or '') or 'nothing'}"
    if not facts["candidate"]:
        return f"{facts['app']}: {in_text(facts['reason'])}{deployed}"
    if facts["update"]:
        return f"{facts['app']}: new commit {short(facts['candidate'])}{deployed}"
    return f"{facts['app']}: up to date at commit {short(facts['current'])}"
