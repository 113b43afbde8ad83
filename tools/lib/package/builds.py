"""Builds that must give the same bytes: in other environments, and by other tools."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from tools.lib.hosts.commands import run
from tools.lib.hosts.package import PROJECT
from tools.lib.package.room import LOCALE, Room

PACKAGE = "ipfs-accelerate-autoupdate"
# As dpkg-source unpacks it; in Debian 12 the source package contains the name of its directory.
TREE = "-".join(re.findall(r"[^ ()]+", (PROJECT / "debian/changelog").read_text())[:2])


class Surroundings(NamedTuple):
    """The environment of a build, on which its result must not depend."""

    directory: str
    user: str
    umask: str
    hostname: str
    clock: str
    """The argument of faketime(1); empty: the real time."""
    disorder: bool
    """Whether directories list their files in random order (disorderfs(1))."""
    environment: dict[str, str]


# DEB_BUILD_OPTIONS=nocheck skips the unit tests, to run a single check faster.
USUAL = Surroundings(
    "/build/usual", "builder", "022", "room", "", disorder=False,
    environment={"TZ": "UTC", "DEB_BUILD_OPTIONS": os.environ.get("DEB_BUILD_OPTIONS", "")},
)  # fmt: skip
OTHER = Surroundings(
    "/srv/quite/another/place", "somebody", "0077", "elsewhere.example", "@2033-03-04 05:06:07",
    disorder=True,
    environment={
        "TZ": "Pacific/Kiritimati", "LANG": LOCALE, "LC_ALL": LOCALE, "COLUMNS": "40",
        "CAPTURE": "1", "DEB_BUILD_OPTIONS": "nocheck parallel=7",
    },
)  # fmt: skip


def build(room: Room, around: Surroundings) -> dict[str, str]:
    """Build source and binary package; return the digest of each file that is uploaded."""
    room.copy_source(f"{around.directory}/{TREE}", around.user)
    words = ["dpkg-buildpackage", "--no-sign"]
    if around.clock:
        words = ["faketime", "-f", around.clock, *words]
    place = room.root / around.directory.lstrip("/")
    with disordered(place) if around.disorder else nullcontext():
        room.run(
            "sh", "-c", 'umask "$0" && exec "$@"', around.umask, *words,
            user=around.user, directory=f"{around.directory}/{TREE}", hostname=around.hostname,
            environment=around.environment,
        )  # fmt: skip
    return digests(place)


@contextmanager
def disordered(directory: Path) -> Iterator[None]:
    """Make a directory list its files in random order."""
    behind = directory.with_name(f"{directory.name}.behind")
    directory.rename(behind)
    directory.mkdir()
    run("disorderfs", "--multi-user=yes", "--shuffle-dirents=yes", behind, directory)
    try:
        yield
    finally:
        run("umount", directory)
        directory.rmdir()
        behind.rename(directory)


def digests(directory: Path) -> dict[str, str]:
    """Return the digest of each package file in a directory, source and binary."""
    files = [*directory.glob("*.deb"), *directory.glob("*.tar.xz"), *directory.glob("*.dsc")]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def by_stdeb(room: Room, name: str, python: str) -> dict[str, str]:
    """Build by `setup.py bdist_deb` with the stdeb of an interpreter."""
    room.copy_source(f"/build/{name}/tree", "builder")
    words = ("setup.py", "--command-packages=stdeb.command", "bdist_deb")
    # The usual build has already run the tests.
    room.run(python, *words, user="builder", directory=f"/build/{name}/tree",
             environment={"DEB_BUILD_OPTIONS": "nocheck"})  # fmt: skip
    return digests(room.root / f"build/{name}/tree/deb_dist")


def install_stdeb_of_pypi(room: Room) -> str:
    """Install the newest stdeb of PyPI; return the interpreter that uses it."""
    python = "/build/environment/bin/python"
    room.run("/usr/bin/python3", "-m", "venv", "--system-site-packages", "/build/environment")
    pip = (python, "-m", "pip", "install", "--quiet", "--ignore-installed", "--no-deps", "stdeb")
    room.run(*pip, network=True)
    return python


def by_dockerfile(tree: Path, source: Path, release: str, target: Path) -> dict[str, str]:
    """Build by Dockerfile.build, on an image of the bare tree; return the digest by file."""
    image = f"localhost/autoupdate-check:{release}"
    archive = target / "base.tar"
    run("tar", "--create", "--file", archive, "--directory", tree, "--one-file-system", ".",
        timeout=600)  # fmt: skip
    try:
        run("podman", "import", "--quiet", archive, image, timeout=600)
        archive.unlink()
        run("podman", "build", "--isolation=chroot", "--network=host", "--no-cache", "--quiet",
            f"--build-arg=BASE={image}", f"--file={source}/Dockerfile.build",
            f"--output=type=local,dest={target}", source, timeout=1800)  # fmt: skip
    finally:
        run("podman", "image", "prune", "--force", check=False)
        run("podman", "rmi", "--force", image, check=False)
    return digests(target)
