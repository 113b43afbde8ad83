"""rehearse: tests a new release before the services are switched to it.

Runs in the worker, as the builds' user, with a clean environment.
"""

import json
import os
import shlex
import tempfile
from collections.abc import Callable, Sequence
from typing import NamedTuple

from autoupdate.model.errors import HostFaultError, UpdateFailedError
from autoupdate.worker.packages import installer

SMOKE_TEST = f"{os.path.dirname(os.path.abspath(__file__))}/smoke.py"
MOST_WARNINGS = 10

# Runs a command in a release, with write access to some directories; returns status and output.
Try = Callable[[Sequence[str], str, Sequence[str]], tuple[int, str]]


class Report(NamedTuple):
    """What the smoke test found: scripts that cannot be imported, and why; those that can."""

    broken: dict[str, str]
    good: frozenset[str]
    conflicts: list[str]
    """Unmet requirements."""


def rehearse(
    release: str,
    previous: str,
    commands: Sequence[Sequence[str]],
    try_out: Try,
    *,
    smoke: bool,
    same_packages: bool = False,
    ignored: Sequence[str] = (),
    started: Sequence[str] = (),
) -> list[str]:
    """Test a release: the smoke test first, then each command; return warnings.

    `previous` is the directory of the deployed release; empty for none. With `same_packages`, the
    release has the same packages, and only the app's own requirements are checked. Console scripts
    that are `ignored` may be broken; those that are `started` by a unit of a service may not.
    Raises UpdateFailedError for the first failure; HostFaultError if the deployed release fails in
    the same way.
    """
    whose = "own" if same_packages else "all"
    warnings = []
    if smoke:
        warnings = smoke_test(release, previous, try_out, whose, frozenset(ignored), started)
    for command in commands:
        words = filled(command, release)
        status, output = try_out(words, release, ())
        if not status:
            continue
        reason = f"{shlex.join(words)} {ended(status)}: {installer.summary(output)}"
        if previous and try_out(filled(command, previous), previous, ())[0] == status:
            deployed = f"it fails in the same way in the deployed release, {previous}"
            raise HostFaultError(
                f"{reason}; {deployed}, so the commit is not blamed",
                "correct rehearse.commands, or what they need on this host",
            )
        raise UpdateFailedError(reason)
    return warnings


def filled(command: Sequence[str], release: str) -> list[str]:
    """Return a command of the settings for one release."""
    python = f"{release}/.venv/bin/python"
    return [word.replace("{python}", python).replace("{release}", release) for word in command]


def smoke_test(
    release: str,
    previous: str,
    try_out: Try,
    whose: str,
    ignored: frozenset[str],
    started: Sequence[str],
) -> list[str]:
    """Import the app's console scripts. Raises UpdateFailedError for one that this commit broke.

    That is one which the deployed release can import, or which a unit of a service starts, unless
    it is broken in the deployed release, too. Others are warnings, and so are unmet requirements:
    as errors they could fail every update.
    """
    new = report(release, try_out, whose)
    broken = {script: why for script, why in new.broken.items() if script not in ignored}
    old = report(previous, try_out, whose) if broken and previous else Report({}, frozenset(), [])
    for script, reason in broken.items():
        is_started = script in started and script not in old.broken
        if script in old.good or is_started:
            how = ", which a service starts," if is_started else ""
            raise UpdateFailedError(
                f"its console script {script}{how} cannot be imported: {reason}",
                f'if this script is not used on this host, add "{script}" to rehearse.smoke_ignore',
            )
    warnings = [
        f"console script {script} cannot be imported: {broken[script]}" for script in broken
    ]
    return (warnings + new.conflicts)[:MOST_WARNINGS]


def report(release: str, try_out: Try, whose: str) -> Report:
    """Run the smoke test in a release; return its report. Raises UpdateFailedError."""
    with tempfile.TemporaryDirectory() as scratch:
        file = f"{scratch}/report.json"
        python = f"{release}/.venv/bin/python"
        words = [python, "-I", SMOKE_TEST, release, file, whose]
        status, output = try_out(words, release, (scratch,))
        try:
            with open(file, encoding="utf-8") as stream:
                found = json.load(stream)
            return Report(dict(found["broken"]), frozenset(found["good"]), list(found["conflicts"]))
        except (OSError, ValueError, KeyError, TypeError):
            said = installer.summary(output)
            raise UpdateFailedError(f"its smoke test {ended(status)}: {said}") from None


def ended(status: int) -> str:
    """Say how a command ended."""
    return f"was killed by signal {-status}" if status < 0 else f"failed with status {status}"
