"""Disables the old updaters; if an adoption is undone, or given back, enables them again."""

import os
import re
from collections.abc import Sequence
from contextlib import suppress

from autoupdate.adoption.command_lines import UPDATES
from autoupdate.adoption.old_updaters import (
    CRON,
    CRON_SCRIPT,
    SCRIPT,
    SERVICE,
    START,
    TASK,
    TIMER,
    OldUpdater,
    before_start,
)
from autoupdate.host.links import remove_link, sync_directory
from autoupdate.host.processes import Process
from autoupdate.host.services import Units
from autoupdate.host.unit_files import drop_ins, unit_files
from autoupdate.model.errors import ConfigurationError, HostFaultError
from autoupdate.model.paths import Paths

RUNNING = re.compile(rf"(^|/)git [^;|&]*\b({'|'.join(sorted(UPDATES))})\b|\bpip[0-9.]* install\b")
REMARK = "# disabled by autoupdatectl adopt: "
# Sorts before the drop-in of our gate, so that it does not reset the line of the gate.
SWITCHED = (TIMER, SERVICE, TASK)
# run-parts(8) ignores names with a dot.
OFF = ".disabled-by-autoupdate"
DROP_IN = "40-without-auto-update.conf"


def refuse_late_drop_ins(paths: Paths, found: Sequence[OldUpdater]) -> None:
    """Raise ConfigurationError for an ExecStartPre= line that our drop-in cannot remove."""
    for item in found:
        late = os.path.basename(item.file) > DROP_IN and item.file.endswith(".conf")
        if item.kind == START and late:
            raise ConfigurationError(
                f"{item.place} runs the old updater before {item.unit} starts: {item.text.strip()}",
                f"remove that line from {item.file}, then: systemctl daemon-reload",
            )


def refuse_running(processes: Sequence[Process]) -> None:
    """Raise HostFaultError while an old updater is one of the processes of a checkout."""
    for process in processes:
        if SCRIPT in process.command or RUNNING.search(process.command):
            raise HostFaultError(
                f"the old updater is running now (process {process.pid}: {process.command})",
                "wait until it has ended, then try again",
            )


def disable(paths: Paths, found: Sequence[OldUpdater], backups: str, units: Units) -> None:
    """Back up and disable all that was found. Raises HostFaultError, UpdateFailedError, OSError."""
    if not found:
        return
    os.makedirs(backups, mode=0o700, exist_ok=True)
    for item in found:
        back_up(item.file, backups)
        if item.kind == CRON:
            _comment_out(item)
        elif item.kind == CRON_SCRIPT:
            os.rename(item.file, f"{item.file}{OFF}")
        elif item.kind in SWITCHED:
            units.switch(item.unit, on=False)
    for unit in {item.unit for item in found if item.kind == START}:
        replace(drop_in(paths, unit), without_updaters(paths, unit, found).encode())
    if has_units(found):
        units.reload()


def has_units(found: Sequence[OldUpdater]) -> bool:
    """Return whether any of them is a unit, not something of cron's."""
    return any(item.kind not in (CRON, CRON_SCRIPT) for item in found)


def restore_files(paths: Paths, found: Sequence[OldUpdater]) -> None:
    """Enable again, in files, what `disable` disabled; changes since then are kept."""
    for item in found:
        if item.kind == CRON:
            remove_link(temporary(item.file))
            _comment_in(item)
        elif item.kind == CRON_SCRIPT:
            if os.path.lexists(f"{item.file}{OFF}") and not os.path.lexists(item.file):
                os.rename(f"{item.file}{OFF}", item.file)
        elif item.kind == START:
            file = drop_in(paths, item.unit)
            for left in (temporary(file), file):
                remove_link(left)
            # Unless there are other drop-ins.
            with suppress(OSError):
                os.rmdir(os.path.dirname(file))


def restore_units(found: Sequence[OldUpdater], units: Units) -> None:
    """Reload unit files after `restore_files`, and enable timers and services again."""
    if has_units(found):
        units.reload()
    for item in found:
        if item.kind in SWITCHED:
            # To start what runs once would be an update now.
            units.switch(item.unit, on=True, now=item.kind != TASK)


def drop_in(paths: Paths, unit: str) -> str:
    """Return the drop-in that removes the old script from a service's start."""
    return f"{paths.administrators_units}/{unit}.d/{DROP_IN}"


def without_updaters(paths: Paths, unit: str, found: Sequence[OldUpdater]) -> str:
    """Return a drop-in that repeats the ExecStartPre= lines of a service without the updaters.

    Single lines of such a list cannot be removed (systemd.service(5)).
    """
    earlier = [file for name, file in drop_ins(paths, unit).items() if name < DROP_IN]
    lines = before_start(unit_files(paths, ".service")[unit], *earlier)
    updaters = {(item.file, item.line) for item in found if item.unit == unit}
    kept = [item.text for item in lines if (item.file, item.line) not in updaters]
    return "\n".join([
        "# The ExecStartPre= lines of this service, without those that updated the app.",
        "# Written by autoupdatectl adopt; you may change it.",
        "[Service]", "ExecStartPre=", *kept, "",
    ])  # fmt: skip


def back_up(file: str, backups: str) -> None:
    """Copy a file to `backups`, under its full path as a name; an existing copy is kept."""
    copy = f"{backups}/{file.strip('/').replace('/', '_')}"
    if not os.path.exists(copy):
        with open(file, "rb") as stream:
            replace(copy, stream.read(), mode=0o600)


def _comment_out(item: OldUpdater) -> None:
    lines = _lines(item.file)
    if item.text not in lines:
        raise HostFaultError(f"{item.place} was changed meanwhile", "try again")
    _write(item.file, [REMARK + line if line == item.text else line for line in lines])


def _comment_in(item: OldUpdater) -> None:
    with suppress(FileNotFoundError):
        lines = _lines(item.file)
        if REMARK + item.text in lines:
            _write(item.file, [item.text if line == REMARK + item.text else line for line in lines])


def _lines(file: str) -> list[str]:
    with open(file, encoding="utf-8", errors="surrogateescape", newline="") as stream:
        return stream.read().split("\n")


def _write(file: str, lines: Sequence[str]) -> None:
    facts = os.stat(file)
    content = "\n".join(lines).encode(errors="surrogateescape")
    replace(file, content, facts.st_mode & 0o777, (facts.st_uid, facts.st_gid))


def replace(
    file: str, content: bytes, mode: int = 0o644, owner: tuple[int, int] | None = None
) -> None:
    """Write a file, atomically and durably; cron(8) does not read a name with a dot in front."""
    file = os.path.realpath(file)
    directory = os.path.dirname(file)
    os.makedirs(directory, exist_ok=True)
    remove_link(temporary(file))
    descriptor = os.open(
        temporary(file), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
    )
    with open(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        if owner:
            os.fchown(descriptor, *owner)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    os.rename(temporary(file), file)
    sync_directory(directory)


def temporary(file: str) -> str:
    """Return the temporary name under which a file is written."""
    directory, name = os.path.split(os.path.realpath(file))
    return f"{directory}/.{name}.autoupdate"
