"""rename: an app gets another name, while its services run.

Its releases and environments have their own path in them, and are never changed. So its directory
and a link to the new name change places in one step: the old name goes on to lead there
(former_names.py). Then everything else that has the name is moved. A record beside the state says
that this has begun; while it is there, no run begins, and services start on what is deployed. Each
step may be repeated, so that typing the command again ends a rename that was interrupted.
"""

import errno
import os
import re
from collections.abc import Callable
from contextlib import suppress

from autoupdate.adoption import gate_drop_in, relocation
from autoupdate.adoption.change_over import timer_of
from autoupdate.adoption.disable_old_updaters import replace
from autoupdate.adoption.forget import gates_of
from autoupdate.adoption.former_names import all_unit_files, former_names
from autoupdate.adoption.old_updaters import is_enabled
from autoupdate.adoption.renameat2 import UNSUPPORTED, exchange
from autoupdate.config import load
from autoupdate.config.claims import text_of
from autoupdate.config.load import bases, check_name, is_known, places
from autoupdate.config.renamed import Rename
from autoupdate.config.run_from import GATE, location
from autoupdate.config.sections import Settings
from autoupdate.host.links import DIRECTORY, remove_link, replace_link, sync_directory
from autoupdate.host.services import Units
from autoupdate.host.transient_units import TransientUnits
from autoupdate.host.unit_files import lines
from autoupdate.model.errors import (
    ConfigurationError,
    HostFaultError,
    UpdateFailedError,
    describe,
)
from autoupdate.model.paths import AppPaths, Paths
from autoupdate.records import unremoved
from autoupdate.records.records import Records
from autoupdate.worker.removal import remove_tree

# Units of one app that an administrator may have overridden.
TEMPLATES = ("autoupdate@{}.service", "autoupdate@{}.timer", "autoupdate-confirm@{}.service",
             "autoupdate-notify@{}.service", "autoupdate-clean@{}.service")  # fmt: skip


def plan(paths: Paths, old: str, new: str, located: Callable[[Settings], Settings]) -> Rename:
    """Return what is to be recorded of a rename.

    `located` puts in the path if it is not set. Raises ConfigurationError if the app cannot be
    renamed, or not yet.
    """
    check_name(old)
    check_name(new)
    place = paths.app(old)
    if os.path.lexists(f"{paths.vendor}/apps/{old}.toml"):
        raise ConfigurationError(
            f"{old} cannot be renamed: its settings come with the package, and so do the units"
            " that name it",
            f"describe another app in {paths.etc}/apps/{new}.toml",
        )
    if not is_known(paths, old) and os.path.isdir(place.home):
        raise ConfigurationError(
            f"{old} has a state, but no settings, so it is not known what to rename",
            f"describe it in {paths.etc}/apps/{old}.toml first, or: autoupdatectl forget {old}",
        )
    settings = load.load(paths, old)
    refuse_taken(paths, old, new)
    if not settings.path:
        path = located(settings).path
        raise ConfigurationError(
            f"{old}: path is not set; where an app is must not depend on its name",
            f'write path = "{path}" into {paths.etc}/apps/{old}.toml first',
        )
    refuse_busy(place, old)
    refuse_named(paths, old)
    return Rename(old, new, settings.path, settings.metrics.textfile)


def refuse_taken(paths: Paths, old: str, new: str) -> None:
    """Raise ConfigurationError if something has the new name already."""
    if old == new:
        raise ConfigurationError(f"{old} has this name already", "give another name")
    if is_known(paths, new):
        raise ConfigurationError(
            f"there is an app {new} on this host already", f"autoupdatectl status {new}"
        )
    home = paths.app(new).home
    if new in former_names(paths, old):
        raise ConfigurationError(
            f"{new} is a former name of {old}, and {home} leads to it",
            f"to free the name, if nothing needs it any more: autoupdatectl forget {new}",
        )
    for place in (home, *(target for _, target in moves(paths, old, new))):
        if os.path.lexists(place):
            raise ConfigurationError(
                f"{place} already exists", f"give another name, or look at it: ls -la {place}"
            )


def refuse_busy(place: AppPaths, old: str) -> None:
    """Raise ConfigurationError while something has been begun, and must end by the old name."""
    if os.path.lexists(place.relocation):
        raise ConfigurationError(
            f"{old}: an adoption or its return was interrupted, and is not undone yet",
            f"autoupdatectl run {old}",
        )
    records = Records(place.state, read_only=True) if os.path.exists(place.state) else None
    try:
        begun = records.unfinished() if records else None
    finally:
        if records:
            records.close()
    if begun:
        raise ConfigurationError(
            f"{old}: an update has not ended; it is in step {begun.step}",
            f"see: autoupdatectl status {old}; to end one that was interrupted: autoupdatectl run"
            f" {old}",
        )
    if os.path.ismount(place.home):
        raise ConfigurationError(
            f"{place.home} is a mount point, which cannot be renamed",
            f"mount that file system elsewhere, and make {place.home} a link to there",
        )


def refuse_named(paths: Paths, old: str) -> None:
    """Raise ConfigurationError for files of the administrator that have the name in them.

    A gate that asks for an unknown app lets the service start, but without an update.
    """
    ours = gates_of(paths, old)
    asks = re.compile(rf"{re.escape(GATE)}\s+{re.escape(old)}(?![A-Za-z0-9._-])")
    for file in all_unit_files(paths):
        calls = [line for line in lines(file) if gate_drop_in.calls_gate(line)]
        if file in ours or not any(asks.search(line) for line in calls):
            continue
        service = os.path.basename(os.path.dirname(file)).removesuffix(".d")
        again = "autoupdatectl gate enable"
        if os.path.basename(file) == gate_drop_in.NAME:
            raise ConfigurationError(
                f"{file} was changed, or is of an older version of this package",
                f"to write it again: {again} {service} {old}",
            )
        service = service if service.endswith(".service") else os.path.basename(file)
        raise ConfigurationError(
            f"{file} asks the gate of {old}, and was not written by autoupdatectl",
            f"remove the lines with {GATE} from it, then type: systemctl daemon-reload &&"
            f" {again} {service} {old}",
        )
    for file in (file for base in bases(paths, old) for file in places(base)):
        for moved in (paths.keys(old), paths.hooks(old)):
            if f"{moved}/" in text_of(file):
                raise ConfigurationError(
                    f"{file} names {moved}, which a rename moves",
                    f"put what it names to where no path has the name {old}, and write that there",
                )


def moves(paths: Paths, old: str, new: str) -> list[tuple[str, str]]:
    """Return what the administrator made for an app, and where it is moved; settings come last."""
    units = [f"{paths.administrators_units}/{name}{suffix}"
             for name in TEMPLATES for suffix in ("", ".d")]  # fmt: skip
    apps = f"{paths.etc}/apps"
    return [
        (paths.keys(old), paths.keys(new)),
        (paths.hooks(old), paths.hooks(new)),
        *((unit.format(old), unit.format(new)) for unit in units),
        (f"{apps}/{old}.toml.d", f"{apps}/{new}.toml.d"),
        (f"{apps}/{old}.toml", f"{apps}/{new}.toml"),
    ]


def make_home(place: AppPaths) -> None:
    """Make the directory of an app that was never deployed. Raises HostFaultError."""
    try:
        os.makedirs(place.home, mode=0o755, exist_ok=True)
    except OSError as error:
        raise HostFaultError(describe(error)) from None


def begin(paths: Paths, rename: Rename) -> None:
    """Record that a rename begins. Raises HostFaultError."""
    place = paths.app(rename.old)
    try:
        for file in (place.known, place.fresh):
            # The fast path, and starts of services, would not see what changes now.
            remove_link(file)
        relocation.write_json(place.renaming, rename._asdict())
    except OSError as error:
        raise HostFaultError(describe(error)) from None


def finish(paths: Paths, rename: Rename, units: Units, transient_units: TransientUnits) -> None:
    """Do everything that a rename has not done yet. Needs the app's lock.

    Raises UpdateFailedError; then it may be called again.
    """
    again = f"fix that, then type again: autoupdatectl rename {rename.old} {rename.new}"
    try:
        change_places(paths.app(rename.old).home, paths.app(rename.new).home)
        for former in former_names(paths, rename.old):
            replace_link(rename.new, paths.app(former).home)
        lead_there(paths, rename)
        for source, target in moves(paths, rename.old, rename.new):
            move(source, target)
        switch_units(paths, rename, units)
        transient_units.end(rename.old)
        forget_old(paths, rename)
    except OSError as error:
        raise HostFaultError(f"the rename has not ended: {describe(error)}", again) from None
    except UpdateFailedError as error:
        raise HostFaultError(f"the rename has not ended: {error.message}", again) from None


def change_places(old: str, new: str) -> None:
    """Make the directory have the new name, and the old name be a link to it; durable.

    Where the file system cannot exchange names, the old name is missing for a moment.
    """
    above, name = os.path.split(new)
    if os.path.isdir(new):
        if not os.path.lexists(old):
            replace_link(name, old)
        elif not os.path.samefile(old, new):
            # Made by somebody since an interrupted attempt.
            raise FileExistsError(errno.EEXIST, "it already exists, and is not overwritten", new)
        return
    if not os.path.lexists(new):
        os.symlink(name, new)
    directory = os.open(above, DIRECTORY & ~os.O_NOFOLLOW)
    try:
        exchange(os.path.basename(old), name, left_directory=directory, right_directory=directory)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        os.unlink(new)
        os.rename(old, new)
        os.symlink(name, old)
    finally:
        os.fsync(directory)
        os.close(directory)


def lead_there(paths: Paths, rename: Rename) -> None:
    """Make the services' path lead to the new name; it is never missing meanwhile.

    The directory that it is in may belong to another user: no link on the way is followed.
    """
    old, new = paths.app(rename.old).current, paths.app(rename.new).current
    path = location(rename.path)
    if not os.path.isdir(os.path.dirname(path)):
        return
    with relocation.parent(path) as (directory, name):
        try:
            if os.readlink(name, dir_fd=directory) != old:
                return
        except OSError:
            # Nothing is deployed there.
            return
        temporary = f".{name}.autoupdate"
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        os.symlink(new, temporary, dir_fd=directory)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)


def move(source: str, target: str) -> None:
    """Rename a file or directory of root's, if that was not done yet; durable."""
    if os.path.lexists(source):
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "it already exists, and is not overwritten", target)
        os.rename(source, target)
    if os.path.lexists(target):
        sync_directory(os.path.dirname(target))


def switch_units(paths: Paths, rename: Rename, units: Units) -> None:
    """Let the gates and the timer name the app as it is called now. Raises UpdateFailedError."""
    for file in gates_of(paths, rename.old):
        replace(file, gate_drop_in.text(paths, rename.new).encode())
    overridden = any(
        os.path.lexists(target) for _, target in moves(paths, rename.old, rename.new)
        if target.startswith(paths.administrators_units)
    )  # fmt: skip
    # Also if an interrupted attempt has written them.
    if overridden or gates_of(paths, rename.new):
        units.reload()
    before = timer_of(rename.old)
    if is_enabled(paths, before):
        units.switch(timer_of(rename.new), on=True)
        units.switch(before, on=False)


def forget_old(paths: Paths, rename: Rename) -> None:
    """Remove what is left of the old name, and last the record of the rename."""
    old, new = paths.app(rename.old), paths.app(rename.new)
    unremoved.move(new, f"{old.home}/", f"{new.home}/")
    if rename.textfile:
        remove_link(f"{rename.textfile}/autoupdate-{rename.old}.prom")
    remove_tree(old.run)
    remove_link(new.renaming)
    sync_directory(new.home)
