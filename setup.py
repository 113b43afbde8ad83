"""Metadata of the package, and a command for stdeb; debian/changelog has the version."""

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
    """Return the version from debian/changelog, where Debian's tools read it, too."""
    with (TOP / "debian/changelog").open(encoding="utf-8") as changelog:
        first = changelog.readline()
    found = re.fullmatch(rf"{NAME} \(([^)]+)\) .*\n", first)
    if found is None:
        raise SystemExit(f"debian/changelog: no version of {NAME} in the first line: {first!r}")
    # The part after the last hyphen would be the Debian revision (deb-version(7)).
    return found[1].rpartition("-")[0] or found[1]


class sdist_dsc(Command):  # noqa: N801 - the name by which stdeb's bdist_deb runs it
    """Replaces stdeb's command of this name, which would generate its own debian/."""

    description = "make a Debian source package with the existing debian/"
    user_options: ClassVar = [("dist-dir=", "d", "directory for the package (default: deb_dist)")]

    def initialize_options(self) -> None:
        """Set the default; bdist_deb reads this attribute and builds what is there."""
        self.dist_dir = "deb_dist"

    def finalize_options(self) -> None:
        """Do nothing: no option depends on other commands."""

    def run(self) -> None:
        """Unpack the source distribution and pack it with dpkg-source."""
        target = Path(self.dist_dir)
        tree = target / f"{NAME}-{self.distribution.get_version()}"
        # bdist_deb fails if there are two trees, for example one of an older version.
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
        # Files that sdist has added for pip do not belong to the source.
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
