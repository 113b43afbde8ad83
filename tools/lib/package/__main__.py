"""The command behind tools/check-package."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tools.lib.hosts import machine
from tools.lib.hosts.commands import CommandFailedError
from tools.lib.hosts.package import bare_image
from tools.lib.hosts.tree import RELEASES
from tools.lib.package import builds, judges
from tools.lib.package.room import Room, room, source_of_checkout

DEB = f"{builds.PACKAGE}_*_all.deb"


class Checks:
    """The checks on one release of Debian, in order. Each raises AssertionError if it fails."""

    def __init__(self, release: str, made: Room) -> None:
        self.release = release
        self.room = made
        self.usual: dict[str, str] = {}

    def build(self) -> str:
        """Build source and binary package as a user, without a network."""
        self.usual = builds.build(self.room, builds.USUAL)
        return f"{self.deb().stat().st_size // 1024} KiB"

    def deb(self) -> Path:
        """Return the built package."""
        return self.room.file(f"{builds.USUAL.directory}/{DEB}")

    def lintian(self) -> str:
        """Source and binary have no lintian tags."""
        return judges.lintian(self.room, builds.USUAL.directory, self.release)

    def nodoc(self) -> str:
        """A build without documentation lacks only the documentation."""
        return judges.nodoc(self.room, self.deb())

    def reproducible(self) -> str:
        """Builds are equal with another path, user, umask, name, time, zone, locale, file order."""
        return self.same(builds.build(self.room, builds.OTHER))

    def stdeb(self) -> str:
        """A build by stdeb of this release of Debian gives the same bytes."""
        return self.same(builds.by_stdeb(self.room, "stdeb", "/usr/bin/python3"))

    def stdeb_of_pypi(self) -> str:
        """A build by stdeb of PyPI gives the same bytes."""
        python = builds.install_stdeb_of_pypi(self.room)
        return self.same(builds.by_stdeb(self.room, "stdeb-of-pypi", python))

    def dockerfile(self) -> str:
        """A build by Dockerfile.build gives the same bytes."""
        self.room.copy_source("/build/image/tree", "builder")
        source = self.room.root / "build/image/tree"
        (tree,) = bare_image(self.release).layers
        with tempfile.TemporaryDirectory(dir=self.room.root / "build") as target:
            made = builds.by_dockerfile(tree, source, self.release, Path(target))
        # Its package has a file name without a version.
        (digest,) = made.values()
        return self.same({self.deb().name: digest})

    def piuparts(self) -> str:
        """Installing, upgrading and purging leave nothing behind."""
        return judges.piuparts(self.room, self.deb(), self.release)

    def autopkgtest(self) -> str:
        """debian/tests pass on a booted host."""
        source = self.room.root / builds.USUAL.directory.lstrip("/") / builds.TREE
        return judges.autopkgtest(self.release, self.deb(), source)

    def same(self, others: dict[str, str]) -> str:
        """Compare files with those of the usual build; return how many, as text."""
        compared = sorted(set(others) & set(self.usual))
        assert any(name.endswith(".deb") for name in compared), f"no package among {others}"
        different = [name for name in compared if others[name] != self.usual[name]]
        assert not different, f"other bytes: {', '.join(different)}"
        return f"{len(compared)} files equal"


CHECKS = {
    name: check
    for name, check in vars(Checks).items()
    if name not in ("deb", "same") and not name.startswith("_")
}


def main(arguments: list[str]) -> int:
    """Run the checks; return 1 if one of them failed."""
    reader = argparse.ArgumentParser(
        prog="tools/check-package",
        description="Judges the package before a release; takes a quarter of an hour.",
        epilog="Checks: " + "; ".join(f"{name}: {one.__doc__}" for name, one in CHECKS.items()),
    )
    reader.add_argument("--release", choices=RELEASES, help="only on this release of Debian")
    reader.add_argument("checks", nargs="*", metavar="CHECK", help="only these, after the build")
    chosen = reader.parse_args(arguments)
    unknown = set(chosen.checks) - set(CHECKS)
    if unknown:
        reader.error(f"no such check: {', '.join(unknown)}; there are {', '.join(CHECKS)}")
    missing = machine.what_is_missing()
    if missing:
        reader.error(missing)
    wanted = {"build", *chosen.checks} if chosen.checks else set(CHECKS)
    failed = 0
    with source_of_checkout() as source:
        for release in [chosen.release] if chosen.release else RELEASES:
            with room(release, source) as made:
                checks = Checks(release, made)
                for name in CHECKS:
                    if name in wanted:
                        failed += not passes(release, name, getattr(checks, name))
    return 1 if failed else 0


def passes(release: str, name: str, check: Callable[[], str]) -> bool:
    """Run one check and print its result."""
    began = time.monotonic()
    try:
        told, good = check(), True
    except (AssertionError, CommandFailedError, FileNotFoundError) as error:
        log = Path(tempfile.gettempdir()) / f"autoupdate-package-{release}-{name}.log"
        log.write_text(str(error))
        told, good = f"see {log}: {str(error).splitlines()[0]}", False
    seconds = time.monotonic() - began
    print(
        f"{'passed' if good else 'FAILED'} {release} {name} ({seconds:.0f} s): {told}", flush=True
    )
    return good


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
