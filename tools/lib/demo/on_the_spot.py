"""The stage without a booted host: this machine, on which the package is installed for a time."""

import fcntl
import os
import shutil
from pathlib import Path

from tools.lib.demo import processes, systemctl
from tools.lib.demo.here import STAND_IN, Here, StandIn, systemd_runs
from tools.lib.demo.stage import PACKAGE, RefusedError
from tools.lib.hosts.demo_app import SERVICES, USER
from tools.lib.hosts.inside import Inside

_BUILDER = "_autoupdate"
# Exists during a demo, and says whether the builds' user existed before; locked by the demo.
_MARK = Path(systemctl.ADDRESS).parent / "begun"
_KEPT, _NEW = "kept", "new"

# Everything that the installation and the application may create, except Debian packages.
_UNITS = [Path("/etc/systemd/system") / service for service in SERVICES]
_DIRECTORIES = [
    Path("/etc/autoupdate"),
    Path("/var/lib/autoupdate"),
    Path("/var/cache/autoupdate"),
    Path("/var/log/autoupdate"),
    Path("/run/autoupdate"),
    Path("/home") / USER,
]
_APP = Path("/opt/ipfs_accelerate_py")
_LOCK = Path("/run/autoupdate/ipfs-accelerate/lock")


class OnTheSpot:
    """This machine; after the demo it is as it was before."""

    def __init__(self) -> None:
        """Check that this machine does not have what the demo creates. Raises RefusedError."""
        self.has_systemd = systemd_runs()
        self._here = Here()
        self._stand_in: StandIn | None = None
        _MARK.parent.mkdir(exist_ok=True)
        self._mark = _MARK.open("a+")
        try:
            fcntl.flock(self._mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError("another demo is running on this machine") from None
        self._mark.seek(0)
        earlier = self._mark.read()
        self._builder = earlier or (_KEPT if self._has_user(_BUILDER) else _NEW)
        processes.adopt_orphans()
        if earlier:
            # An earlier demo that was killed could not do this itself.
            self._clear()
        for thing in self._present():
            shutil.rmtree(_MARK.parent)
            raise RefusedError(f"there is {thing} on this machine, and the demo must not change it")
        self._mark.truncate(0)
        self._mark.write(self._builder)
        self._mark.flush()

    @property
    def machine(self) -> Inside:
        """Return this machine."""
        return self._here

    def bring(self, deb: Path) -> str:
        """Return the directory of the package."""
        return str(deb.parent)

    def supervise(self) -> None:
        """Start the stand-in, if systemd does not run."""
        if not self.has_systemd:
            self._stand_in = StandIn()

    def close(self) -> list[str]:
        """Remove everything that was installed; return what could not be removed."""
        self._clear()
        left = self._present()
        left += [f"process {number}" for number in processes.end_descendants()]
        if not left:
            shutil.rmtree(_MARK.parent)
        return left

    def _clear(self) -> None:
        """Remove everything, as far as possible; `_present` returns what is left."""
        if self._stand_in:
            self._stand_in.close()
        elif self.has_systemd:
            self._try("systemctl", "disable", "--quiet", "--now", "autoupdate.timer")
            self._try("systemctl", "stop", "autoupdate@*", *SERVICES)
        if self._knows_package():
            # A run that a killed demo has left ends by itself.
            if _LOCK.exists():
                self._try("flock", "--timeout=300", str(_LOCK), "true")
            # An installation may have been interrupted.
            self._try("dpkg", "--configure", "--pending")
            noninteractive = ("env", "DEBIAN_FRONTEND=noninteractive")
            self._try(*noninteractive, "apt-get", "purge", "--yes", PACKAGE)
        for file in [*_UNITS, _APP, STAND_IN]:
            file.unlink(missing_ok=True)
        if self._has_user(USER):
            self._try("userdel", USER)
        if self._builder == _NEW and self._has_user(_BUILDER):
            self._try("userdel", _BUILDER)
        for directory in _DIRECTORIES:
            shutil.rmtree(directory, ignore_errors=True)
        if self.has_systemd:
            self._try("systemctl", "daemon-reload")

    def _try(self, *command: str) -> None:
        self._here.run(*command, check=False, timeout=600)

    def _present(self) -> list[str]:
        """Return what exists of the things that the demo would create."""
        paths = [*_UNITS, _APP, STAND_IN, *_DIRECTORIES]
        found = [str(path) for path in paths if os.path.lexists(path)]
        found += [f"a user {USER}"] if self._has_user(USER) else []
        found += (
            [f"a user {_BUILDER}"] if self._builder == _NEW and self._has_user(_BUILDER) else []
        )
        return found + ([f"the package {PACKAGE}"] if self._knows_package() else [])

    def _has_user(self, name: str) -> bool:
        return self._here.run("getent", "passwd", name, check=False).ok

    def _knows_package(self) -> bool:
        asked = ("dpkg-query", "--show", "--showformat=${db:Status-Status}", PACKAGE)
        return self._here.run(*asked, check=False).stdout.strip() not in ("", "not-installed")
