"""The stage: a machine on which the package can be installed."""

from pathlib import Path
from typing import Protocol

from tools.lib.hosts import cgroups
from tools.lib.hosts.host import Host
from tools.lib.hosts.inside import Inside
from tools.lib.hosts.package import bare_image

PACKAGE = "ipfs-accelerate-autoupdate"
DEB = f"{PACKAGE}.deb"


class RefusedError(Exception):
    """The demo refuses to run; the text says why."""


class Stage(Protocol):
    """A machine for the story."""

    has_systemd: bool

    @property
    def machine(self) -> Inside:
        """Return the machine that runs the commands."""

    def bring(self, deb: Path) -> str:
        """Copy the package to the machine; return its directory."""

    def supervise(self) -> None:
        """Make it possible to start services, after the package has been installed."""

    def close(self) -> list[str]:
        """End everything; return what could not be removed."""


class OwnHost:
    """A booted Debian; this machine is not changed."""

    has_systemd = True

    def __init__(self, release: str) -> None:
        """Prepare a tree, which takes long only the first time, and boot a copy."""
        self._host = Host(bare_image(release))
        try:
            self._host.boot()
        except BaseException:
            self._host.close()
            raise

    @property
    def machine(self) -> Inside:
        """Return the host."""
        return self._host

    def bring(self, deb: Path) -> str:
        """Copy the package to the machine; return its directory."""
        self._host.copy_in(deb, f"/root/{DEB}")
        return "/root"

    def supervise(self) -> None:
        """Do nothing: the host has its own systemd."""

    def close(self) -> list[str]:
        """Switch off; return what could not be removed."""
        directory = self._host.root.parent
        self._host.close()
        left = [directory, *cgroups.directories(self._host.name)]
        mounts = Path("/proc/self/mountinfo").read_text()
        return [str(path) for path in left if path.exists() or f" {path}/" in mounts]
