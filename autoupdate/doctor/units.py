"""The units of the package must be its own, and the timer must be enabled and active."""

import os
from collections.abc import Iterator

from autoupdate.adoption.change_over import timer_of
from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import PACKAGE, RELOAD, Finding, command


def timer(case: Case) -> Iterator[Finding]:
    """Check whether there are scheduled updates."""
    unit = timer_of(case.settings.app)
    facts = case.host.unit(unit)
    if not facts:
        return
    yield from of_unit(unit, facts)
    if facts.get("LoadState") == "loaded":
        if facts.get("UnitFileState") != "enabled":
            yield Finding(unit, "is not enabled, so there are no scheduled updates",
                          (command("systemctl", "enable", "--now", unit),), asks=True)  # fmt: skip
        elif facts.get("ActiveState") != "active":
            yield Finding(unit, "is enabled, but not active",
                          (command("systemctl", "start", unit),), asks=True)  # fmt: skip


def units(case: Case) -> Iterator[Finding]:
    """Check the units of a run."""
    for template in ("autoupdate", "autoupdate-confirm"):
        unit = f"{template}@{case.settings.app}.service"
        if facts := case.host.unit(unit):
            yield from of_unit(unit, facts)


def of_unit(unit: str, facts: dict[str, str]) -> Iterator[Finding]:
    """Check one unit of the package."""
    load, file = facts.get("LoadState", ""), facts.get("FragmentPath", "")
    if load == "masked":
        yield Finding(unit, "is masked", (command("systemctl", "unmask", unit),), asks=True)
    elif load != "loaded":
        yield Finding(
            unit, f"cannot be loaded ({load})", advice=f"apt install --reinstall {PACKAGE}"
        )
    elif file.startswith("/etc/"):
        yield Finding(unit, f"is overridden by {file}, which package upgrades do not change",
                      (command("systemctl", "revert", os.path.basename(file)),),
                      asks=True)  # fmt: skip
    if facts.get("NeedDaemonReload") == "yes":
        yield Finding(unit, "changed on disk after systemd read it", (RELOAD,))
