"""tools/demo itself: what it tells and what it leaves behind, on a host and in a container."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, Completed, run
from tools.lib.hosts.host import Host
from tools.lib.hosts.layers import Image
from tools.lib.hosts.package import PROJECT

DEB = "/srv/package.deb"
# What every use of apt or of the user database changes.
CHANGING = ("var/lib/apt", "var/lib/dpkg", "var/cache/apt", "var/cache/debconf", "var/log")
WAY_BACK = (
    "all three services run version 1",
    "all three services run version 2",
    "rolled back from commit",
    "status shows: rolled-back",
    "the next run does not try it again",
    "All of this has been seen",
)


class Container:
    """A Debian that is entered, not booted: no systemd, and no right to mount."""

    def __init__(self, host: Host, deb: Path) -> None:
        """Take the files of a host that stays off."""
        self.root = host.root
        # Places for what is mounted below.
        (self.root / "srv/project").mkdir()
        (self.root / "srv/package.deb").touch()
        self._command = (
            "systemd-nspawn",
            *("--quiet", "--register=no", "--keep-unit", "--as-pid2", "--console=pipe"),
            *("--resolv-conf=replace-host", "--timezone=off", "--link-journal=no"),
            "--drop-capability=CAP_SYS_ADMIN",
            f"--directory={host.root}",
            f"--machine={host.name}",
            f"--bind-ro={PROJECT}:/srv/project",
            f"--bind-ro={deb}:{DEB}",
            f"--setenv=AUTOUPDATE_DEB={DEB}",
            "--chdir=/srv/project",
        )

    def run(self, *command: str, user: str = "root") -> Completed:
        """Run a command to its end."""
        environment = {
            **CLEAN_ENVIRONMENT,
            "SYSTEMD_NSPAWN_LOCK": "0",
            "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
        }
        words = (*self._command, f"--user={user}", *command)
        return run(*words, environment=environment, check=False, timeout=600)

    def files(self) -> set[str]:
        """Return the paths of everything in it, but for what changes all the time."""
        found = set()
        for directory, directories, names in os.walk(self.root):
            place = Path(directory).relative_to(self.root)
            if str(place) in CHANGING:
                directories.clear()
                continue
            found |= {str(place / name) for name in (*directories, *names)}
        # Copies that useradd and userdel make of the files before them.
        return {path for path in found if not (path.startswith("etc/") and path.endswith("-"))}

    def accounts(self) -> list[str]:
        """Return the lines of its user and group databases, in any order."""
        files = [self.root / "etc" / name for name in ("passwd", "group", "shadow")]
        return sorted(line for file in files for line in file.read_text().splitlines())


@pytest.fixture
def container(tree: Image, deb: Path, tmp_path: Path) -> Iterator[Container]:
    """A container in which the demo can be given."""
    host = Host(tree)
    try:
        yield Container(host, deb)
    finally:
        host.close()


def test_on_a_host_of_its_own(tree: Image, release: str, deb: Path) -> None:
    kept = {name: os.environ[name] for name in ("AUTOUPDATE_TEST_CACHE",) if name in os.environ}
    environment = {**CLEAN_ENVIRONMENT, **kept, "AUTOUPDATE_DEB": str(deb)}

    given = run(
        PROJECT / "tools/demo", f"--release={release}",
        environment=environment, check=False, timeout=600,
    )  # fmt: skip

    assert given.returncode == 0, f"{given.stdout}\n{given.stderr}"
    assert "STAND-IN" not in given.stdout
    assert "# systemctl list-timers autoupdate.timer" in given.stdout
    assert "# journalctl -t autoupdate" in given.stdout
    reads_well(given.stdout)


def test_in_a_container(container: Container) -> None:
    """The same on the spot, which the demo says; and nothing of it stays."""
    files, accounts = container.files(), container.accounts()

    given = container.run("tools/demo")

    assert given.returncode == 0, f"{given.stdout}\n{given.stderr}"
    assert "test hosts need to mount, which this container may not" in given.stdout
    assert "STAND-IN" in given.stdout
    assert "# tail -n" in given.stdout
    reads_well(given.stdout)
    assert container.files() == files
    assert container.accounts() == accounts


def test_interrupted_in_a_container(container: Container) -> None:
    """Ctrl-C in the middle of a build."""
    files, accounts = container.files(), container.accounts()
    wait_and_interrupt = "timeout --preserve-status --signal=INT 7 tools/demo"

    given = container.run("sh", "-c", wait_and_interrupt)

    assert given.returncode == 130, f"{given.stdout}\n{given.stderr}"
    assert "Interrupted by SIGINT" in given.stdout
    assert "All of this has been seen" not in given.stdout
    assert container.files() == files
    assert container.accounts() == accounts


def test_what_is_installed_is_not_touched(container: Container) -> None:
    """A machine that has the application is no stage."""
    (container.root / "opt/ipfs_accelerate_py").mkdir()
    files = container.files()

    given = container.run("tools/demo")

    assert given.returncode == 2
    assert "there is /opt/ipfs_accelerate_py on this machine" in given.stdout
    assert container.files() == files


def test_ordinary_user_without_sudo(container: Container) -> None:
    for tool in ("tools/demo", "tools/test"):
        given = container.run(tool, user="nobody")
        assert given.returncode == 2, tool
        assert given.stdout == ""
        # What systemd-nspawn itself may add, comes after it.
        assert "as root: " in given.stderr.splitlines()[0]
        assert len(given.stderr.splitlines()) <= 2


def reads_well(told: str) -> None:
    """Make sure that the whole story is there, in 80 columns and without colours."""
    for sentence in WAY_BACK:
        assert sentence in told
    assert max(len(line) for line in told.splitlines()) <= 80
    assert "\x1b" not in told
    assert "Traceback" not in told
