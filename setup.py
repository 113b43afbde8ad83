"""The package's metadata, and the bridge to Debian's tools; debian/changelog has the version."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar

from setuptools import Command, find_packages, setup

NAME = "ipfs-accelerate-autoupdate"
TOP = Path(__file__).resolve().parent


def version() -> str:
    """Read the version from where Debian's tools read it, so that the two cannot differ."""
    with (TOP / "debian/changelog").open(encoding="utf-8") as changelog:
        first = changelog.readline()
    found = re.fullmatch(rf"{NAME} \(([^)]+)\) .*\n", first)
    if found is None:
        raise SystemExit(f"debian/changelog: the first line names no version of {NAME}: {first!r}")
    # What follows the last hyphen would count uploads to Debian (deb-version(7)).
    return found[1].rpartition("-")[0] or found[1]


class sdist_dsc(Command):  # noqa: N801 - the name by which stdeb's bdist_deb runs it
    """Takes the place of stdeb's command of this name, which would make a debian/ of its own."""

    description = "make a Debian source package, with debian/ as it stands here"
    user_options: ClassVar = [("dist-dir=", "d", "directory to put it into (default: deb_dist)")]

    def initialize_options(self) -> None:
        """Set the default; bdist_deb reads this attribute and builds what it finds there."""
        self.dist_dir = "deb_dist"

    def finalize_options(self) -> None:
        """Nothing depends on other commands."""

    def run(self) -> None:
        """Unpack the source distribution and have dpkg-source pack it."""
        target = Path(self.dist_dir)
        tree = target / f"{NAME}-{self.distribution.get_version()}"
        # bdist_deb refuses to choose between two trees, such as one of an older version.
        for old in target.glob(f"{NAME}-*/"):
            shutil.rmtree(old)
        tree.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as scratch:
            sdist = self.reinitialize_command("sdist")
            sdist.formats = ["tar"]
            sdist.dist_dir = scratch
            self.run_command("sdist")
            unpack = ["tar", "--extract", "--no-same-owner", "--strip-components=1"]
            (archive,) = Path(scratch).iterdir()
            subprocess.run([*unpack, "--file", archive, "--directory", tree], check=True)
        # What sdist adds for pip is no source: the tree is as it was checked out.
        for added in (tree / "PKG-INFO", tree / "setup.cfg"):
            added.unlink()
        for added in tree.glob("*.egg-info"):
            shutil.rmtree(added)
        subprocess.run(["dpkg-source", "--build", tree.name], cwd=target, check=True)


setup(
    name=NAME,
    version=version(),
    description="Keeps a Python application that is deployed from Git up to date on a Debian host",
    license="MIT",
    python_requires=">=3.11",
    packages=find_packages(include=["autoupdate", "autoupdate.*"]),
    install_requires=["GitPython"],
    extras_require={"journal": ["systemd-python"]},
    cmdclass={"sdist_dsc": sdist_dsc},
)
