"""The services must exist, call the gate before they start, and may write to shared files."""

import os
from collections.abc import Iterator

from autoupdate.adoption import gate_drop_in
from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import RELOAD, Finding, Text, command

# systemd reads drop-ins by name: this one comes after the one that removed the setting.
SHARED = "95-autoupdate-shared.conf"


def services(case: Case) -> Iterator[Finding]:
    """Check the units of the services."""
    settings = case.settings
    for service in settings.services:
        facts = case.host.unit(service)
        if facts.get("LoadState") == "masked":
            yield Finding(service, "is masked, so it does not start",
                          (command("systemctl", "unmask", service),), asks=True)  # fmt: skip
        if facts.get("LoadState") != "loaded":
            continue
        if facts.get("NeedDaemonReload") == "yes":
            yield Finding(service, "changed on disk after systemd read it", (RELOAD,))
        if f"/pre-start {settings.app} " not in facts.get("ExecStartPre", "").replace(";", " "):
            yield without_gate(case, service)
        protected = facts.get("ProtectSystem") == "strict" and settings.shared
        if protected and case.app.shared not in facts.get("ReadWritePaths", ""):
            file = f"{case.paths.administrators_units}/{service}.d/{SHARED}"
            lines = ("[Service]", f"ReadWritePaths=-{case.app.shared}")
            yield Finding(
                service, f"cannot write to {case.app.shared}, which holds {settings.shared[0]}",
                (Text(file, lines), RELOAD),
            )  # fmt: skip


def missing(case: Case) -> Iterator[Finding]:
    """At least one of the services must exist: updates would restart nothing."""
    names = case.settings.services
    states = [case.host.unit(name).get("LoadState") for name in names]
    if states and all(state == "not-found" for state in states):
        yield Finding(
            "services", f"there are no such units: {', '.join(names)}; an update restarts nothing",
            advice=f"set services in {case.paths.etc}/apps/{case.settings.app}.toml, or install"
            " their units",
        )  # fmt: skip


def without_gate(case: Case, service: str) -> Finding:
    """Return the problem of a service that does not call the gate, with its cause if known."""
    override = gate_drop_in.at(case.paths, service, gate_drop_in.OF_PACKAGE)
    if os.path.lexists(override) and not gate_drop_in.leads_nowhere(override):
        return Finding(service, f"does not check for updates before it starts: {override} replaces"
                       " the drop-in of the package",
                       (command("rm", override), RELOAD), asks=True)  # fmt: skip
    return Finding(
        service, "does not check for updates before it starts",
        (command("autoupdatectl", "gate", "enable", service, case.settings.app),), asks=True,
    )  # fmt: skip
