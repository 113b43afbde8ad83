"""What the checks look at: one app on one host."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from autoupdate.config.run_from import Unit
from autoupdate.config.sections import Settings, Upstream
from autoupdate.doctor.finding import Finding
from autoupdate.model.paths import AppPaths, Paths
from autoupdate.records.records import Records


class Host(Protocol):
    """What the checks ask of the host."""

    def unit(self, name: str) -> dict[str, str]:
        """Return the properties of a unit (systemctl(1), show); none without a service manager."""

    def directives(self, names: Sequence[str]) -> list[Unit]:
        """Return what the units of services name (config/run_from.py)."""

    def altered_files(self, package: str) -> list[str]:
        """Return the files of a package that changed since its installation (dpkg(1), --verify)."""

    def is_clock_right(self) -> bool:
        """Return whether the clock is synchronised; true also where that is not known."""

    def owner(self, path: str) -> str:
        """Return the name of a path's owner; empty if there is no such path."""

    def strangers(
        self, directory: str, owners: tuple[str, ...], left_out: tuple[str, ...]
    ) -> list[str]:
        """Return what is below a directory and belongs to none of these users.

        Links are not followed; what has a name that is `left_out` is not looked at.
        """

    def ask_upstream(self, upstream: Upstream) -> None:
        """Ask upstream for its commit. Raises AutoupdateError."""

    def has_builder(self) -> bool:
        """Return whether the user _autoupdate exists."""

    def noexec(self, app: AppPaths) -> str:
        """Return the mount point of an app's directory if nothing can be executed there, or ""."""


class Case(NamedTuple):
    """One app on one host."""

    paths: Paths
    settings: Settings
    records: Records | None
    host: Host
    now: str

    @property
    def app(self) -> AppPaths:
        """The paths of the app."""
        return self.paths.app(self.settings.app)


Check = Callable[[Case], Iterator[Finding]]
