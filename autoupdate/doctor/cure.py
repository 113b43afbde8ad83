"""Heals what doctor found: does the steps that it prints, in their order."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from autoupdate.adoption.disable_old_updaters import replace
from autoupdate.doctor.finding import Finding, Step, Text
from autoupdate.host.process import NotStartedError, TimedOutError, base_environment, run
from autoupdate.model.errors import describe

# Seconds. A run may build everything anew.
PATIENCE = 7200.0
# As many rounds: a cure may bring to light what it hid.
MOST_ROUNDS = 3


class Treated(NamedTuple):
    """A problem with what was done about it; `why` says why it was not healed."""

    finding: Finding
    done: bool
    why: str = ""


def heal(
    found: Sequence[Finding],
    look: Callable[[], list[Finding]],
    do: Callable[[Step], str],
    agrees: Callable[[Finding], bool],
) -> list[Treated]:
    """Heal problems; then look again, and heal what has come to light.

    `do` does a step, and returns why it failed, or nothing. `agrees` asks a person.
    """
    treated: dict[Finding, Treated] = {}
    for _ in range(MOST_ROUNDS):
        new = [finding for finding in found if finding.steps and finding not in treated]
        if not new:
            break
        for finding in new:
            treated[finding] = heal_one(finding, do, agrees)
        found = look()
    return list(treated.values())


def heal_one(
    finding: Finding, do: Callable[[Step], str], agrees: Callable[[Finding], bool]
) -> Treated:
    """Heal one problem."""
    if finding.asks and not agrees(finding):
        return Treated(finding, False, "not agreed to")
    for step in finding.steps:
        if why := do(step):
            return Treated(finding, False, why)
    return Treated(finding, True)


def do(step: Step) -> str:
    """Do one step on this host; return why it failed, or nothing."""
    if isinstance(step, Text):
        return write(step)
    try:
        done = run(step.words, environment=base_environment("/root"), timeout=PATIENCE)
    except (NotStartedError, TimedOutError) as error:
        return str(error)
    said = done.stderr.strip().splitlines() or [f"it ended with exit status {done.returncode}"]
    return said[0] if done.returncode else ""


def write(text: Text) -> str:
    """Write a file; return why that failed, or nothing."""
    try:
        replace(text.file, "\n".join([*text.lines, ""]).encode())
    except OSError as error:
        return describe(error)
    return ""
