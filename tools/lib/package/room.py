"""A Debian with everything to build and check packages; not booted, removed afterwards."""

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.lib.hosts.cache import obtain, running_directory
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, Completed, run
from tools.lib.hosts.janitor import Janitor
from tools.lib.hosts.layers import Image, PrivateCopy, unmount_below
from tools.lib.hosts.package import PROJECT
from tools.lib.hosts.tree import Recipe

TOOLS = (
    "ca-certificates",
    "dpkg-dev",
    "faketime",
    "git",
    "gnupg",
    "lintian",
    "locales",
    "python3-stdeb",
    "python3-venv",
)
LOCALE = "tr_TR.UTF-8"
# The user who builds, and another one.
USERS = {"builder": 1000, "somebody": 4711}


class Room:
    """Runs commands in a private copy of a prepared tree."""

    def __init__(self, root: Path, source: Path) -> None:
        self.root = root
        self.source = source
        self.name = root.parent.name

    def run(
        self,
        *command: str | Path,
        user: str = "root",
        directory: str = "/",
        network: bool = False,
        hostname: str = "room",
        environment: dict[str, str] | None = None,
        check: bool = True,
        timeout: float = 1800,
    ) -> Completed:
        """Run a command to its end; without a network unless asked for."""
        settings = {"LANG": "C.UTF-8", **(environment or {})}
        entry = [
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--pipe", "--as-pid2",
            f"--directory={self.root}", f"--machine={self.name}", f"--hostname={hostname}",
            f"--user={user}", f"--chdir={directory}", "--resolv-conf=replace-host",
            *([] if network else ["--private-network"]),
            *(f"--setenv={name}={value}" for name, value in settings.items()),
        ]  # fmt: skip
        lockless = {**CLEAN_ENVIRONMENT, "SYSTEMD_NSPAWN_LOCK": "0"}
        return run(
            *entry, "--", *command, check=check, timeout=timeout, environment=lockless,
            shown_as=[str(word) for word in command],
        )  # fmt: skip

    def copy_source(self, directory: str, user: str) -> None:
        """Copy the source into a directory of a user."""
        target = self.root / directory.lstrip("/")
        shutil.copytree(self.source, target, symlinks=True)
        # Readable as after a check-out; the original copy is for root only.
        target.chmod(0o755)
        owner = f"{USERS[user]}:{USERS[user]}"
        run("chown", "--recursive", "--no-dereference", owner, target.parent)

    def file(self, path: str) -> Path:
        """Return the only file that matches a pattern. Raises FileNotFoundError."""
        found = sorted(self.root.glob(path.lstrip("/")))
        if len(found) != 1:
            raise FileNotFoundError(f"{path}: {len(found)} files instead of one")
        return found[0]


@contextmanager
def source_of_checkout() -> Iterator[Path]:
    """Provide a copy of all files in the checkout that Git does not ignore."""
    with tempfile.TemporaryDirectory(prefix="autoupdate-source-") as directory:
        listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        for name in run(*listed, cwd=PROJECT).stdout.split("\0"):
            if name and os.path.lexists(PROJECT / name):
                target = Path(directory) / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(PROJECT / name, target, follow_symlinks=False)
        yield Path(directory)


@contextmanager
def room(release: str, source: Path) -> Iterator[Room]:
    """Provide a room with a release of Debian and the build dependencies of our package."""
    recipe = Recipe(release)
    recipe.packages = sorted({*recipe.packages, *TOOLS})
    control = (PROJECT / "debian/control").read_text()
    needed = hashlib.sha256(f"{control}{USERS}{LOCALE}{recipe.key()}".encode()).hexdigest()[:12]

    def build(directory: Path) -> None:
        recipe.build(directory)
        made = Room(directory, source)
        (directory / "source/debian").mkdir(parents=True)
        (directory / "source/debian/control").write_text(control)
        made.run("apt-get", "-qq", "update", network=True)
        install = ("apt-get", "-qq", "--yes", "--no-install-recommends", "build-dep", "./")
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        made.run(*install, directory="/source", network=True, environment=quiet)
        language, _, encoding = LOCALE.partition(".")
        made.run("localedef", "-i", language, "-f", encoding, LOCALE)
        for user, number in USERS.items():
            made.run("useradd", "--create-home", f"--uid={number}", user)

    image = Image((obtain(f"room-{release}", needed, build),))
    directory = running_directory() / f"autoupdate-room-{uuid.uuid4().hex[:8]}"
    Janitor.announce(directory.name, directory)
    directory.mkdir()
    try:
        yield Room(PrivateCopy(image, directory).root, source)
    finally:
        unmount_below(directory)
        shutil.rmtree(directory)
        Janitor.take_back(directory.name)
