"""forget: removes what an app has left on the host, also when its settings are gone.

Nothing that is used is removed: neither what services or processes run from, nor what an
interrupted adoption still has to undo. Data of the services is kept, unless it is asked for.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from autoupdate.adoption import gate_drop_in
from autoupdate.adoption.change_over import timer_of
from autoupdate.adoption.former_names import former_names, needed_by
from autoupdate.adoption.former_names import in_words as named
from autoupdate.adoption.old_updaters import is_enabled
from autoupdate.config import last_valid, load, renamed
from autoupdate.config.run_from import leads_into
from autoupdate.config.sections import Settings
from autoupdate.host.links import is_managed, remove_link
from autoupdate.host.processes import Process
from autoupdate.host.services import Services, Units
from autoupdate.host.transient_units import TransientUnits
from autoupdate.host.unit_files import entries, lines, unit_files
from autoupdate.model.errors import AutoupdateError, ConfigurationError
from autoupdate.model.paths import AppPaths, Paths
from autoupdate.model.sizes import counted
from autoupdate.worker.removal import Remaining, remove_tree


class Remains(NamedTuple):
    """What an app has on this host: what is removed, and what is kept."""

    app: str
    timer: str
    """Its timer, if that is enabled; it is disabled first."""
    gates: tuple[str, ...]
    """The drop-ins that `gate enable` wrote for it."""
    link: str
    """The link at `path`; empty if there is none of ours."""
    places: tuple[str, ...]
    """Directories and files, each removed with all that is in it."""
    kept: tuple[str, ...]
    broken: tuple[str, ...]
    """Units that lead into it, and do not run; they will not start any more."""
    stashes: int
    """Stashes of local changes in the mirror."""


def find(
    paths: Paths,
    app: str,
    services: Services,
    processes_in: Callable[[str], Sequence[Process]],
    *,
    shared: bool,
) -> Remains:
    """Return what an app has on this host; with `shared`, its shared files are to be removed, too.

    Raises ConfigurationError if there is nothing, or if it is in use.
    """
    load.check_name(app)
    place = paths.app(app)
    if renamed.unfinished(place):
        renamed.refuse(place, app)
    if new := renamed.new_name(place):
        return find_former(paths, app, new, services)
    if not os.path.isdir(place.home):
        raise ConfigurationError(f"{app} has left nothing on this host", f"ls {parent(place)}")
    if os.path.lexists(place.relocation):
        raise ConfigurationError(
            f"{app}: an adoption or its return was interrupted, and is not undone yet",
            f"autoupdatectl run {app}",
        )
    settings = known_settings(paths, app)
    link = settings.path if settings and is_managed(settings.path, place) else ""
    units = leading_there(paths, place, link, settings, services)
    refuse_used(app, place, units, services, processes_in)
    kept = ("shared", "legacy") if not shared else ()
    if not shared and not os.path.exists(place.state) and os.path.lexists(place.current):
        # When the package is purged, the services' data is moved into the release.
        kept = (*kept, "releases", "current")
    inside = entries(place.home)
    metrics = settings.metrics.textfile if settings else ""
    former = former_names(paths, app) if "releases" not in kept else []
    others = [paths.app(name).home for name in former]
    others += [f"{metrics}/autoupdate-{app}.prom" if metrics else ""]
    # The locks go last: no other process gets them before, and one that has waited for them sees
    # that they are gone (runtime_files.py).
    locks = [place.state_lock, place.run]
    removed = [f"{place.home}/{name}" for name in inside if name not in kept]
    removed = [*(item for item in removed if item not in locks), *others, *locks]
    timer = timer_of(app)
    return Remains(
        app,
        timer if is_enabled(paths, timer) else "",
        tuple(gates_of(paths, app)),
        link,
        tuple(item for item in removed if os.path.lexists(item)),
        (*(f"{place.home}/{name}" for name in inside if name in kept), *own_files(paths, app)),
        tuple(units),
        len(lines(f"{place.mirror}/logs/refs/stash")),
    )  # fmt: skip


def find_former(paths: Paths, app: str, new: str, services: Services) -> Remains:
    """Return what a former name has left. Raises ConfigurationError if something needs it."""
    place = paths.app(app)
    if needed := needed_by(paths, app, services.directives):
        raise ConfigurationError(
            f"{app} is a former name of {new}, and {place.home} is needed by {named(needed)}",
            "releases from before the rename are removed as newer ones are built;"
            f" autoupdatectl doctor {new} reports when the name can be removed",
        )
    places = [place.home, *([place.run] if os.path.lexists(place.run) else [])]
    return Remains(app, "", (), "", tuple(places), (), (), 0)


def parent(place: AppPaths) -> str:
    """Return the directory of the states of all apps."""
    return os.path.dirname(place.home)


def known_settings(paths: Paths, app: str) -> Settings | None:
    """Return the settings of an app, or the last valid ones; None if there are none."""
    with suppress(AutoupdateError):
        settings = load.load(paths, app)
        if settings.path:
            return settings
    return last_valid.read(paths.app(app).last_valid, app)


def leading_there(
    paths: Paths, place: AppPaths, link: str, settings: Settings | None, services: Services
) -> list[str]:
    """Return the services of the host whose units lead into the releases of an app."""
    names = {name for name in unit_files(paths, ".service") if not name.endswith("@.service")}
    names |= set(settings.services) if settings else set()
    found = services.directives(sorted(names))
    return sorted(unit["Name"] for unit in found if leads_into(unit, link, place))


def refuse_used(
    app: str,
    place: AppPaths,
    units: Sequence[str],
    services: Services,
    processes_in: Callable[[str], Sequence[Process]],
) -> None:
    """Raise ConfigurationError if something runs from a release."""
    running = [
        service.name
        for service in services.look(units)
        if service.runs or service.waits_for_gate or service.sub.startswith("auto-restart")
    ]
    if running:
        raise ConfigurationError(
            f"{app}: {', '.join(running)} runs from it",
            f"to go on with a plain checkout: autoupdatectl release-path {app}; otherwise:"
            f" systemctl disable --now {' '.join(running)}",
        )
    for process in processes_in(place.releases):
        raise ConfigurationError(
            f"{app}: process {process.pid} runs from it: {process.command}",
            f"stop it, then type again: autoupdatectl forget {app}",
        )


def gates_of(paths: Paths, app: str) -> list[str]:
    """Return the drop-ins that `gate enable` wrote for an app."""
    wanted = gate_drop_in.text(paths, app).splitlines()
    places = [
        f"{paths.administrators_units}/{name}/{gate_drop_in.NAME}"
        for name in entries(paths.administrators_units)
        if name.endswith(".service.d")
    ]
    return [file for file in places if lines(file) == wanted]


def own_files(paths: Paths, app: str) -> list[str]:
    """Return what the administrator has made for an app: it is never removed."""
    files = [f"{paths.etc}/apps/{app}.toml", f"{paths.etc}/apps/{app}.toml.d"]
    files += [paths.keys(app), paths.hooks(app)]
    return [file for file in files if os.path.lexists(file)]


def in_words(found: Remains, done: str = "") -> list[str]:
    """Return what is removed, for people; `done`: a word for what was done with it."""
    removed = [found.link, *found.gates, *found.places]
    said = [f"{found.app}: {done or 'this would be removed:'}"]
    said += [f"  {item}" for item in removed if item]
    if found.timer:
        said.append(f"  {found.timer}, which is enabled" + ("" if done else ", would be disabled"))
    if found.stashes:
        stashes = counted(found.stashes, "stash", "stashes")
        said.append(f"  the mirror has {stashes} of local changes" if not done
                    else f"  with {stashes} of local changes")  # fmt: skip
    if found.broken and not done:
        said.append(f"  {', '.join(found.broken)} could not start any more")
    if found.kept:
        said += ["kept:", *(f"  {item}" for item in found.kept)]
    return said


def remove(
    found: Remains, place: AppPaths, units: Units, transient_units: TransientUnits
) -> list[Remaining]:
    """Remove what was found; return what could not be removed. Needs the app's lock.

    If it is interrupted, it goes on when it is called again. Raises UpdateFailedError.
    """
    # First what would start it again.
    transient_units.end(found.app)
    if found.timer:
        units.switch(found.timer, on=False)
    for file in found.gates:
        remove_link(file)
        # Unless there are other drop-ins.
        with suppress(OSError):
            os.rmdir(os.path.dirname(file))
    if found.gates:
        units.reload()
    if found.link:
        remove_link(found.link)
    left = [remaining for item in found.places for remaining in remove_tree(item)]
    with suppress(OSError):
        # Unless something is kept in it.
        os.rmdir(place.home)
    return left
