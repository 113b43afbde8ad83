"""doctor: problems on this host for one app, each with a command that fixes it.

Each check looks at one thing and changes nothing. A check leaves out what this user cannot see.
"""

import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from autoupdate.adoption import gate_drop_in, kept, old_updaters
from autoupdate.adoption.change_over import timer_of
from autoupdate.adoption.disable_old_updaters import SWITCHED
from autoupdate.config.run_from import Unit, adoption, elsewhere
from autoupdate.config.sections import Settings, Upstream
from autoupdate.gates.runnable import allow_execution
from autoupdate.gates.space import check_space
from autoupdate.host.links import describe, is_managed, linked_release
from autoupdate.host.runtime_files import is_running
from autoupdate.host.services import confirm_unit
from autoupdate.model.errors import AutoupdateError, HostFaultError
from autoupdate.model.paths import AppPaths, Paths
from autoupdate.records import unremoved
from autoupdate.records.records import Records
from autoupdate.worker.building import Plan

PACKAGE = "ipfs-accelerate-autoupdate"
# systemd reads drop-ins by name: this one comes after the one that removed the setting.
SHARED = "95-autoupdate-shared.conf"


class Finding(NamedTuple):
    """A problem: what it is about, what is wrong, and the command that fixes it (`mend`)."""

    about: str
    what: str
    mend: str


class Host(Protocol):
    """What the checks ask of the host."""

    def unit(self, name: str) -> dict[str, str]:
        """Return the properties of a unit (systemctl(1), show); none without a service manager."""

    def directives(self, names: Sequence[str]) -> list[Unit]:
        """Return what the units of services name (config/run_from.py)."""

    def altered_files(self, package: str) -> list[str]:
        """Return the files of a package that changed since its installation (dpkg(1), --verify)."""

    def is_clock_right(self) -> bool:
        """Return whether the clock is synchronised; true also where that is not known."""

    def owner(self, path: str) -> str:
        """Return the name of a path's owner; empty if there is no such path."""

    def ask_upstream(self, upstream: Upstream) -> None:
        """Ask upstream for its commit. Raises AutoupdateError."""

    def has_builder(self) -> bool:
        """Return whether the user _autoupdate exists."""

    def noexec(self, app: AppPaths) -> str:
        """Return the mount point of an app's directory if nothing can be executed there, or ""."""


class Case(NamedTuple):
    """One app on one host."""

    paths: Paths
    settings: Settings
    records: Records | None
    host: Host
    now: str

    @property
    def app(self) -> AppPaths:
        """The paths of the app."""
        return self.paths.app(self.settings.app)


Check = Callable[[Case], Iterator[Finding]]


def examine(case: Case) -> list[Finding]:
    """Return all problems."""
    return [finding for check in CHECKS for finding in check(case)]


def user(case: Case) -> Iterator[Finding]:
    """The user _autoupdate must exist: builds run as this user."""
    if not case.host.has_builder():
        yield Finding("user", "there is no user _autoupdate", "systemd-sysusers")


def timer(case: Case) -> Iterator[Finding]:
    """The timer must be enabled and active for scheduled updates."""
    unit = timer_of(case.settings.app)
    facts = case.host.unit(unit)
    if not facts:
        return
    yield from of_unit(unit, facts)
    if facts.get("LoadState") == "loaded":
        if facts.get("UnitFileState") != "enabled":
            yield Finding(unit, "is not enabled, so there are no scheduled updates",
                          f"systemctl enable --now {unit}")  # fmt: skip
        elif facts.get("ActiveState") != "active":
            yield Finding(unit, "is enabled, but not active", f"systemctl start {unit}")


def units(case: Case) -> Iterator[Finding]:
    """The units of a run must be those of the package."""
    for template in ("autoupdate", "autoupdate-confirm"):
        unit = f"{template}@{case.settings.app}.service"
        if facts := case.host.unit(unit):
            yield from of_unit(unit, facts)


def of_unit(unit: str, facts: dict[str, str]) -> Iterator[Finding]:
    """Check one unit of the package."""
    load, file = facts.get("LoadState", ""), facts.get("FragmentPath", "")
    if load == "masked":
        yield Finding(unit, "is masked", f"systemctl unmask {unit}")
    elif load != "loaded":
        yield Finding(unit, f"cannot be loaded ({load})", f"apt install --reinstall {PACKAGE}")
    elif file.startswith("/etc/"):
        yield Finding(unit, f"is overridden by {file}, which package upgrades do not change",
                      f"systemctl revert {os.path.basename(file)}")  # fmt: skip
    if facts.get("NeedDaemonReload") == "yes":
        yield Finding(unit, "changed on disk after systemd read it", "systemctl daemon-reload")


def package(case: Case) -> Iterator[Finding]:
    """The package's files must be as installed."""
    for file in case.host.altered_files(PACKAGE):
        yield Finding(file, "was changed or removed after the package was installed",
                      f"apt install --reinstall {PACKAGE}")  # fmt: skip


def services(case: Case) -> Iterator[Finding]:
    """Each service must call the gate before it starts, and be able to write to what is shared."""
    settings = case.settings
    for service in settings.services:
        facts = case.host.unit(service)
        if facts.get("LoadState") != "loaded":
            continue
        if facts.get("NeedDaemonReload") == "yes":
            yield Finding(service, "changed on disk after systemd read it",
                          "systemctl daemon-reload")  # fmt: skip
        if f"/pre-start {settings.app} " not in facts.get("ExecStartPre", "").replace(";", " "):
            yield without_gate(case, service)
        protected = facts.get("ProtectSystem") == "strict" and settings.shared
        if protected and case.app.shared not in facts.get("ReadWritePaths", ""):
            yield Finding(
                service, f"cannot write to {case.app.shared}, which holds {settings.shared[0]}",
                written(case, service, SHARED, f"ReadWritePaths=-{case.app.shared}"),
            )  # fmt: skip


def without_gate(case: Case, service: str) -> Finding:
    """Return the problem of a service that does not call the gate, with its cause if known."""
    override = gate_drop_in.at(case.paths, service, gate_drop_in.OF_PACKAGE)
    if os.path.lexists(override) and not gate_drop_in.leads_nowhere(override):
        return Finding(service, f"does not check for updates before it starts: {override} replaces"
                       " the drop-in of the package",
                       f"rm {override} && systemctl daemon-reload")  # fmt: skip
    return Finding(service, "does not check for updates before it starts",
                   f"autoupdatectl gate enable {service} {case.settings.app}")  # fmt: skip


def written(case: Case, service: str, name: str, *lines: str) -> str:
    """Return the command that writes a drop-in of a service and has systemd read it."""
    words = " ".join(shlex.quote(line) for line in ("[Service]", *lines))
    file = shlex.quote(f"{case.paths.administrators_units}/{service}.d/{name}")
    made = f"printf '%s\\n' {words} | install -D --mode=644 /dev/stdin {file}"
    return f"{made} && systemctl daemon-reload"


def link(case: Case) -> Iterator[Finding]:
    """The services' path must lead to the current release, which has a Python interpreter."""
    name, path = case.settings.app, case.settings.path
    away = elsewhere(case.host.directives(case.settings.services), "", case.app)
    for place in dict.fromkeys(away.values()):
        services = ", ".join(service for service, found in away.items() if found == place)
        yield Finding(place, f"is not managed by autoupdate, and runs {services}; no start and no"
                      " update touches it", adoption(place, name))  # fmt: skip
    if away and (path in away.values() or not linked_release(case.app.current)):
        return
    if os.path.lexists(path) and not is_managed(path, case.app):
        yield Finding(path, f"is {describe(path)}", adoption(path, name))
    elif not linked_release(case.app.current):
        yield Finding(path, "nothing is deployed", f"autoupdatectl run {name}")
    elif not os.path.lexists(path):
        yield Finding(path, "is missing", f"autoupdatectl run {name}")
    elif not os.path.exists(f"{case.app.current}/.venv/bin/python"):
        yield Finding(path, "the Python interpreter of the release is missing",
                      f"autoupdatectl run --force {name}")  # fmt: skip


def interruption(case: Case) -> Iterator[Finding]:
    """No update may be interrupted; the next run finishes or undoes one that is."""
    unfinished = case.records.unfinished() if case.records else None
    if unfinished and unfinished.step == "probation":
        unit = case.host.unit(confirm_unit(case.settings.app))
        watched = unit.get("ActiveState") in ("active", "activating")
        if not watched and not is_running(case.app):
            yield Finding("update", "the new release serves, but nobody watches it",
                          f"autoupdatectl run {case.settings.app}")  # fmt: skip
    elif unfinished:
        yield Finding("update", f"is running, or was interrupted in step {unfinished.step}",
                      f"autoupdatectl run {case.settings.app}")  # fmt: skip


def space(case: Case) -> Iterator[Finding]:
    """There must be space, and an inode, for one more release."""
    if case.records is None:
        return
    facts = os.statvfs(case.app.home)
    free = facts.f_bavail * facts.f_frsize
    try:
        check_space(case.records.releases(), Plan("", "", False, free, ""))
    except HostFaultError as error:
        yield Finding("space", error.message, f"{error.advice}: du -xhd1 {case.app.home}")
    if facts.f_files and not facts.f_favail:
        yield Finding("space", f"no free inode in {case.app.home}", f"df -i {case.app.home}")


def mounts(case: Case) -> Iterator[Finding]:
    """Programs must be executable in releases and environments."""
    if mount := case.host.noexec(case.app):
        yield Finding(mount, f"is mounted noexec, so that no program in {case.app.home} can be"
                      " executed", allow_execution(mount))  # fmt: skip


def clock(case: Case) -> Iterator[Finding]:
    """The clock must be right: ages, holds and windows depend on it."""
    if not case.host.is_clock_right():
        yield Finding("clock", "is not synchronised", "timedatectl set-ntp true")


def owners(case: Case) -> Iterator[Finding]:
    """Only root may write to root's files; _autoupdate must own what it builds in."""
    app, builder = case.app, "_autoupdate"
    ours = ((app.home, "root"), (app.state, "root"), (case.paths.etc, "root"),
            (app.mirror, builder), (app.releases, builder), (app.environments, builder),
            (case.paths.cache, builder))  # fmt: skip
    for path, wanted in ours:
        owner = case.host.owner(path)
        if owner and owner != wanted:
            yield Finding(path, f"is owned by {owner}, not by {wanted}", f"chown {wanted}: {path}")
        elif owner and os.stat(path).st_mode & 0o022:
            yield Finding(path, "is writable by its group or by others", f"chmod go-w {path}")


def network(case: Case) -> Iterator[Finding]:
    """Upstream must answer; it is asked as _autoupdate, so not without this user."""
    if not case.host.has_builder():
        return
    try:
        case.host.ask_upstream(case.settings.upstream)
    except AutoupdateError as error:
        yield Finding("upstream", error.message,
                      error.advice or f"autoupdatectl check {case.settings.app}")  # fmt: skip


def health(case: Case) -> Iterator[Finding]:
    """No service may have failed, and each probe must be for one of the app's services."""
    names = case.settings.services
    for name in names:
        if case.host.unit(name).get("ActiveState") == "failed":
            yield Finding(name, "has failed", f"journalctl --unit={name} --lines=50")
    for probe in case.settings.health.probe:
        if probe.service and probe.service not in names:
            yield Finding(
                f"health.probe of {probe.service}",
                "is never tried, as this is not one of the app's services",
                "add it to services, or name another service in the probe",
            )


def old_system(case: Case) -> Iterator[Finding]:
    """No old updater may still run: two systems must not update one app."""
    settings = case.settings
    for item in old_updaters.find(case.paths, settings.path, settings.services):
        # Only if the line still calls it. cron(8) notices a changed file by itself.
        change = f"{item.line}{{/{re.escape(mark(item))}/s/^/# /}}"
        commented_out = f"sed --in-place '{change}' {shlex.quote(item.file)}"
        if item.kind == old_updaters.CRON:
            fix = commented_out
        elif item.kind == old_updaters.CRON_SCRIPT:
            fix = f"chmod a-x {shlex.quote(item.file)}"
        elif item.kind in SWITCHED:
            fix = f"systemctl disable --now {item.unit}"
        elif item.file.startswith(case.paths.administrators_units) and "\n" not in item.text:
            fix = f"{commented_out} && systemctl daemon-reload"
        else:
            fix = f"systemctl edit --full {item.unit}    # delete the line"
        yield Finding(item.place, f"still {item.why} ({item.kind}): {item.text.strip()}", fix)


def mark(item: old_updaters.OldUpdater) -> str:
    """Return a word in the text of an old updater by which the line is known again."""
    script = re.match(r"runs (\S+), whose", item.why)
    words = (old_updaters.SCRIPT, os.path.basename(script[1]) if script else "git",
             "git", "pip", "uv", "systemctl", "service")  # fmt: skip
    return next((word for word in words if word in item.text), "")


def leftovers(case: Case) -> Iterator[Finding]:
    """Old directories that are no longer needed can be removed."""
    for item in kept.kept_directories(case.settings.path, case.records, case.now):
        if not item.must_stay:
            yield Finding(item.directory,
                          "the directory from before the adoption is no longer needed",
                          f"rm --recursive {item.directory}")  # fmt: skip
    for place, (why, advice) in unremoved.read(case.app).items():
        if os.path.lexists(place):
            fix = advice or f"rm --recursive --force --one-file-system {shlex.quote(place)}"
            yield Finding(place, f"is no longer needed, but could not be removed: {why}",
                          f"{fix} && autoupdatectl run {case.settings.app}")  # fmt: skip
    for aside in (f"{case.app.mirror}.damaged", f"{case.app.state}.damaged"):
        if os.path.lexists(aside):
            yield Finding(aside, "was damaged and replaced; it is no longer needed",
                          f"rm --recursive {aside}")  # fmt: skip


CHECKS: tuple[Check, ...] = (
    user, link, interruption, timer, units, package, services, health, old_system, space,
    mounts, clock, owners, network, leftovers,
)  # fmt: skip
