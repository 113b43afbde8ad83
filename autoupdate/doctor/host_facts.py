"""What `doctor` asks the host: systemctl(1), timedatectl(1), dpkg(1), file owners, upstream."""

import os
import pwd
import re
from collections.abc import Sequence
from contextlib import suppress

from autoupdate.config.run_from import Unit
from autoupdate.config.sections import Upstream
from autoupdate.host.mounts import noexec_mount
from autoupdate.host.process import (
    BUILDER,
    NotStartedError,
    TimedOutError,
    base_environment,
    builder,
    find_user,
    run,
)
from autoupdate.host.services import Systemd
from autoupdate.model.paths import AppPaths, Paths
from autoupdate.upstream.ls_remote import check

PROPERTIES = (
    "LoadState", "ActiveState", "UnitFileState", "FragmentPath", "NeedDaemonReload",
    "ExecStartPre", "ProtectSystem", "ReadWritePaths", "User",
)  # fmt: skip
PATIENCE = 30.0


class HostFacts:
    """The facts of this host."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths

    def unit(self, name: str) -> dict[str, str]:
        """Return the properties of a unit; none without a service manager."""
        said = _ask("systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", name)
        return dict(line.partition("=")[::2] for line in said.splitlines() if "=" in line)

    def directives(self, names: Sequence[str]) -> list[Unit]:
        """Return what the units of services name (config/run_from.py)."""
        return Systemd().directives(names)

    def altered_files(self, package: str) -> list[str]:
        """Return the files of a package that changed since its installation (dpkg(1), --verify).

        Configuration files are left out.
        """
        # dpkg exits with an error if it finds any.
        said = _ask("dpkg", "--verify", package, even_if_failed=True)
        found = (re.fullmatch(r"(\S{9})   (/.*)", line) for line in said.splitlines())
        return [match[2] for match in found if match]

    def is_clock_right(self) -> bool:
        """Return whether the clock is synchronised; true also where that is not known."""
        return _ask("timedatectl", "show", "--property=NTPSynchronized", "--value").strip() != "no"

    def owner(self, path: str) -> str:
        """Return the name of a path's owner; empty if the path is missing or cannot be seen."""
        try:
            number = os.stat(path).st_uid
        except OSError:
            return ""
        try:
            return pwd.getpwuid(number).pw_name
        except KeyError:
            return f"user {number}"

    def strangers(
        self, directory: str, owners: tuple[str, ...], left_out: tuple[str, ...]
    ) -> list[str]:
        """Return what is below a directory and belongs to none of these users.

        Links are not followed; what has a name that is `left_out` is not looked at.
        """
        known = [user.uid for user in map(find_user, owners) if user]
        if len(known) < len(owners):
            return []
        found = []
        for place, folders, files in os.walk(directory):
            folders[:] = [name for name in folders if name not in left_out]
            for name in (*folders, *files):
                with suppress(FileNotFoundError):
                    if os.lstat(f"{place}/{name}").st_uid not in known and name not in left_out:
                        found.append(f"{place}/{name}")
        return found

    def ask_upstream(self, upstream: Upstream) -> None:
        """Ask upstream for its commit. Raises AutoupdateError."""
        check(upstream._replace(timeout=min(upstream.timeout, PATIENCE)), self.paths.cache,
              builder())  # fmt: skip

    def has_builder(self) -> bool:
        """Return whether the user _autoupdate exists."""
        return find_user(BUILDER) is not None

    def noexec(self, app: AppPaths) -> str:
        """Return the mount point of an app's directory if nothing can be executed there, or ""."""
        return noexec_mount(app.releases, app.environments)


def _ask(*command: str, even_if_failed: bool = False) -> str:
    try:
        done = run(command, environment=base_environment("/root"), timeout=PATIENCE)
    except (NotStartedError, TimedOutError):
        return ""
    failed = done.returncode and not even_if_failed
    return "" if failed else done.stdout.decode(errors="replace")
