"""The package installer of a build, with the environment variables that it gets."""

import os
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from autoupdate.config.sections import Build
from autoupdate.model.errors import DependenciesFailedError, HostFaultError, UpdateFailedError
from autoupdate.worker.packages import pip_settings, uv
from autoupdate.worker.packages.installer import Installer, fault, summary
from autoupdate.worker.packages.requirements import existing, index_options
from autoupdate.worker.packages.uv import Command

NOTHING: Mapping[str, str] = MappingProxyType({})


class Tool:
    """Runs the installer for one app's settings."""

    def __init__(self, environments: str, build: Build, command: Command) -> None:
        self.environments = environments
        self.build = build
        self.command = command
        self._installer: Installer | None = None

    @property
    def installer(self) -> Installer:
        """The package installer, chosen by `build.installer` when it is first needed."""
        if self._installer is None:
            self._installer = self._choose()
        return self._installer

    def _choose(self) -> Installer:
        wanted = self.build.installer
        if wanted == "pip":
            return Installer("pip", "")
        python = self.build.python
        program = uv.find(self.environments) or uv.fetch(
            self.environments, python, self.command, needed=wanted == "uv"
        )
        if not program:
            return Installer("pip", "")
        return Installer("uv", program, pip_settings.of_host().options)

    def interpreter(self) -> str:
        """Return the interpreter's real path and version."""
        python = self.build.python
        if not os.access(python, os.X_OK):
            # Not the commit's fault.
            raise HostFaultError(
                f"build.python: {python} is not an executable file", "apt install python3"
            )
        status, output = self.command([python, "-I", "-VV"], "/", {})
        if status:
            raise UpdateFailedError(f"{python} does not run: {summary(output)}")
        return f"{os.path.realpath(python)} {output.strip()}"

    def do(
        self,
        words: Sequence[str],
        release: str,
        error: type[UpdateFailedError] = DependenciesFailedError,
        additions: Mapping[str, str] = NOTHING,
    ) -> str:
        """Run a command in a release; return its output.

        Raises `error`, or HostFaultError or UnreachableError if the commit is not to blame.
        """
        status, output = self.attempt(words, release, additions)
        if status:
            files = existing(release, self.build.requirements)
            indexes = uv.indexes(map(index_options, files), self.variables())
            raise fault(status, output, error, indexes)
        return output

    def attempt(
        self, words: Sequence[str], release: str, additions: Mapping[str, str] = NOTHING
    ) -> tuple[int, str]:
        """Run a command in a release; return its exit status and output."""
        return self.command(words, release, {**self.variables(), **additions})

    def variables(self) -> dict[str, str]:
        """Return the host's settings for the installer."""
        program = self.installer.program
        if not program:
            return {}
        found = pip_settings.of_host().variables
        # Older ones have another name for UV_SYSTEM_CERTS, of which newer ones complain.
        ours = program.startswith(f"{self.environments}/")
        return found if ours else {**found, "UV_NATIVE_TLS": "true"}

    def left_out(self) -> tuple[str, ...]:
        """Return which of the host's settings of pip mean nothing to the installer."""
        return pip_settings.of_host().left_out if self.installer.program else ()


def python_version(interpreter: str) -> str:
    """Return the version of an interpreter, from what `Tool.interpreter` returned."""
    found = re.search(r"Python (\d+\.\d+\.\d+)", interpreter)
    return found.group(1) if found else ""
