"""Files of virtual environments: the paths in their scripts, their list of packages, leftovers."""

import glob
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from packaging.utils import canonicalize_name

from autoupdate.worker.environment.linked_copy import VERSIONS


def forget_locks(*places: str) -> None:
    """Remove the lock files of uv, to which every user could write."""
    for place in places:
        with suppress(FileNotFoundError):
            os.unlink(f"{place}/.lock")


class Distribution(NamedTuple):
    """An installed package, and the directory with what is recorded of it (.dist-info)."""

    name: str
    version: str
    facts: str


def distributions(environment: str) -> Iterator[Distribution]:
    """Yield the packages of an environment; their names in the normal form."""
    pattern = f"{glob.escape(environment)}/lib/*/site-packages/*.dist-info"
    for path in sorted(glob.glob(pattern)):
        name, _, version = os.path.basename(path).removesuffix(".dist-info").rpartition("-")
        if name and version:
            yield Distribution(canonicalize_name(name), version, path)


def write_versions(environment: str) -> None:
    """List the packages of an environment, in a requirements file with exact versions."""
    lines = sorted(f"{item.name}=={item.version}\n" for item in distributions(environment))
    # Removed first: other environments may have a hard link to it.
    remove(f"{environment}/{VERSIONS}")
    with open(f"{environment}/{VERSIONS}", "x", encoding="utf-8") as file:
        file.writelines(lines)


def under_any_name(template: str) -> re.Pattern[bytes]:
    """Return a pattern for the path of an environment, which may be older than the app's name."""
    home, environments, key = template.rpartition("/environments/")
    above = f"{os.path.dirname(home)}/" if environments else ""
    name = rb"[a-z0-9][a-z0-9._-]*" if environments else b""
    return re.compile(re.escape(above.encode()) + name + re.escape(f"{environments}{key}".encode()))


def adapt(copy: str, template: str) -> None:
    """Replace the path of the copied environment in the scripts and pyvenv.cfg of the copy."""
    path = under_any_name(template)
    for file in [f"{copy}/pyvenv.cfg", *glob.glob(f"{glob.escape(copy)}/bin/*")]:
        if os.path.islink(file) or not os.path.isfile(file):
            continue
        with open(file, "rb") as stream:
            content = stream.read()
        if path.search(content):
            mode = os.stat(file).st_mode
            # Unlinked first: writing in place would reach the template and its other copies.
            os.unlink(file)
            with open(file, "wb") as written:
                written.write(path.sub(lambda _: copy.encode(), content))
                os.fchmod(written.fileno(), mode & 0o777)


def remove(place: str) -> None:
    """Remove a file, a link or a directory, if it exists."""
    if os.path.isdir(place) and not os.path.islink(place):
        shutil.rmtree(place)
    elif os.path.lexists(place):
        os.unlink(place)
