"""Former names of an app (config/renamed.py): which are left, and what still needs one of them."""

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence

from autoupdate.config.renamed import new_name
from autoupdate.config.run_from import Unit, named, visited
from autoupdate.host.links import READ
from autoupdate.host.unit_files import entries, lines, unit_files
from autoupdate.model.paths import AppPaths, Paths

# In bytes. A larger file is a program, not a script that an installer wrote.
LARGEST = 1 << 20
MOST_SHOWN = 5


def former_names(paths: Paths, app: str) -> list[str]:
    """Return the former names of an app."""
    names = entries(os.path.dirname(paths.app(app).home))
    return [name for name in names if new_name(paths.app(name)) == app]


def needed_by(paths: Paths, old: str, look: Callable[[Sequence[str]], list[Unit]]) -> list[str]:
    """Return the releases, services and unit files that need a former name.

    `look` returns what the units of services name.
    """
    place = paths.app(old)
    units = [name for name in unit_files(paths, ".service") if not name.endswith("@.service")]
    found = look(sorted(units))
    return [
        *(f"release {release}" for release in releases_with(place)),
        *(unit["Name"] for unit in found if leads_through(unit, place.home)),
        *files_with(paths, place),
    ]


def leads_through(unit: Unit, link: str) -> bool:
    """Return whether a directive of a unit leads through a link."""
    return any(hop == link for name in named(unit) for hop in visited(name))


def releases_with(place: AppPaths) -> list[str]:
    """Return the releases on disk whose environment has the path of a former name in it."""
    word = f"{place.home}/".encode()
    return [
        release
        for release in entries(place.releases)
        if any(word in content(file) for file in scripts(f"{place.release(release)}/.venv"))
    ]


def scripts(environment: str) -> Iterator[str]:
    """Yield the files of an environment in which installers write its path."""
    yield f"{environment}/pyvenv.cfg"
    for name in entries(f"{environment}/bin"):
        yield f"{environment}/bin/{name}"


def content(file: str) -> bytes:
    """Return the content of a script of another user; empty if it is none."""
    try:
        descriptor = os.open(file, READ)
    except OSError:
        return b""
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.read(descriptor, LARGEST) if is_file else b""
    finally:
        os.close(descriptor)


def files_with(paths: Paths, place: AppPaths) -> list[str]:
    """Return the unit files and drop-ins that have the path of a former name in them."""
    word = f"{place.home}/"
    return [file for file in all_unit_files(paths) if any(word in line for line in lines(file))]


def mentions(paths: Paths, old: str) -> list[str]:
    """Return the unit files and crontabs of the administrator that have a command for an app."""
    name = rf"{re.escape(old)}(?![A-Za-z0-9_-])"
    pattern = re.compile(rf"autoupdate(-[a-z]+)?@{name}|autoupdatectl\s([^#]*\s)?{name}")
    tabs = [f"{directory}/{name}" for directory in paths.crontabs for name in entries(directory)]
    files = [
        *(file for file in all_unit_files(paths) if file.startswith(paths.administrators_units)),
        paths.crontab, *tabs,
    ]  # fmt: skip
    return [
        file
        for file in files
        if any(pattern.search(line) for line in lines(file) if line.lstrip()[:1] not in "#;")
    ]


def all_unit_files(paths: Paths) -> Iterator[str]:
    """Yield all unit files and drop-ins of the host."""
    for directory in paths.unit_directories:
        for name in entries(directory):
            if name.endswith(".d"):
                for inner in entries(f"{directory}/{name}"):
                    yield f"{directory}/{name}/{inner}"
            elif os.path.isfile(f"{directory}/{name}"):
                yield f"{directory}/{name}"


def in_words(users: Sequence[str]) -> str:
    """Return what needs a former name, for people."""
    more = f" and {len(users) - MOST_SHOWN} more" if len(users) > MOST_SHOWN else ""
    return ", ".join(users[:MOST_SHOWN]) + more
