"""Files of virtual environments: the paths in their scripts, their list of packages, leftovers."""

import glob
import os
import shutil
from contextlib import suppress

from autoupdate.worker.environment.linked_copy import VERSIONS


def forget_locks(*places: str) -> None:
    """Remove the lock files of uv, to which every user could write."""
    for place in places:
        with suppress(FileNotFoundError):
            os.unlink(f"{place}/.lock")


def write_versions(environment: str) -> None:
    """List the packages of an environment, in a requirements file with exact versions."""
    pattern = f"{glob.escape(environment)}/lib/*/site-packages/*.dist-info"
    names = [os.path.basename(path).removesuffix(".dist-info") for path in glob.glob(pattern)]
    lines = sorted("{}=={}\n".format(*name.rsplit("-", 1)) for name in names if "-" in name)
    # Removed first: other environments may have a hard link to it.
    remove(f"{environment}/{VERSIONS}")
    with open(f"{environment}/{VERSIONS}", "x", encoding="utf-8") as file:
        file.writelines(lines)


def adapt(copy: str, template: str) -> None:
    """Replace the path of the copied environment in the scripts and pyvenv.cfg of the copy."""
    for file in [f"{copy}/pyvenv.cfg", *glob.glob(f"{glob.escape(copy)}/bin/*")]:
        if os.path.islink(file) or not os.path.isfile(file):
            continue
        with open(file, "rb") as stream:
            content = stream.read()
        if template.encode() in content:
            mode = os.stat(file).st_mode
            # Unlinked first: writing in place would reach the template and its other copies.
            os.unlink(file)
            with open(file, "wb") as written:
                written.write(content.replace(template.encode(), copy.encode()))
                os.fchmod(written.fileno(), mode & 0o777)


def remove(place: str) -> None:
    """Remove a file, a link or a directory, if it exists."""
    if os.path.isdir(place) and not os.path.islink(place):
        shutil.rmtree(place)
    elif os.path.lexists(place):
        os.unlink(place)
