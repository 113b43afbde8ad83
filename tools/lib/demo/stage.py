"""Where the story is told: a machine that the package can be installed on."""

from pathlib import Path
from typing import Protocol

from tools.lib.hosts import cgroups
from tools.lib.hosts.host import Host
from tools.lib.hosts.inside import Inside
from tools.lib.hosts.package import bare_image

PACKAGE = "ipfs-accelerate-autoupdate"
DEB = f"{PACKAGE}.deb"


class RefusedError(Exception):
    """The demo will not do this; the text says why."""


class Stage(Protocol):
    """A machine to tell the story on."""

    has_systemd: bool

    @property
    def machine(self) -> Inside:
        """What runs the story's commands."""

    def bring(self, deb: Path) -> str:
        """Put the package there; return the directory that it is in."""

    def supervise(self) -> None:
        """Make sure that services can be started, now that the package is installed."""

    def close(self) -> list[str]:
        """End everything; return what could not be cleared away."""


class OwnHost:
    """A Debian of its own, booted; the machine below is not touched."""

    has_systemd = True

    def __init__(self, release: str) -> None:
        """Prepare a tree, which takes its time only once, and boot a copy."""
        self._host = Host(bare_image(release))
        try:
            self._host.boot()
        except BaseException:
            self._host.close()
            raise

    @property
    def machine(self) -> Inside:
        """The host."""
        return self._host

    def bring(self, deb: Path) -> str:
        """Put the package there; return the directory that it is in."""
        self._host.copy_in(deb, f"/root/{DEB}")
        return "/root"

    def supervise(self) -> None:
        """Nothing is to be done: the host has its systemd."""

    def close(self) -> list[str]:
        """Switch off; return what could not be cleared away."""
        directory = self._host.root.parent
        self._host.close()
        left = [directory, *cgroups.directories(self._host.name)]
        mounts = Path("/proc/self/mountinfo").read_text()
        return [str(path) for path in left if path.exists() or f" {path}/" in mounts]
