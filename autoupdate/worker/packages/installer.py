"""The command lines of the package installers, pip and uv, for one virtual environment."""

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from autoupdate.model.errors import (
    AutoupdateError,
    HostFaultError,
    NoSpaceError,
    UnreachableError,
    UpdateFailedError,
)
from autoupdate.worker.packages import trouble


class Installer(NamedTuple):
    """A package installer; `program` is the path of uv, or empty for pip.

    `options` are the host's, for uv; pip reads its own settings.
    """

    name: str
    program: str
    options: tuple[str, ...] = ()

    def create(self, python: str, directory: str) -> list[str]:
        """Return the command that makes a virtual environment."""
        if self.program:
            return [self.program, "venv", "--quiet", "--python", python, directory]
        return [python, "-I", "-m", "venv", directory]

    def update_itself(self, directory: str) -> list[str]:
        """Return the command that updates pip in a virtual environment."""
        return [] if self.program else self.install(directory, ["--upgrade", "pip"])

    def complete(self, directory: str, interpreter: str) -> list[str]:
        """Return the command that adds what `python -m venv` would have installed; empty for pip.

        It runs last and compiles nothing, as these packages have many modules and are rarely used.
        """
        # From Python 3.12 on, venv installs only pip.
        older = re.search(r"Python 3\.([0-9]|1[01])\b", interpreter)
        seeds = ["pip", "setuptools"] if older else ["pip"]
        return self.install(directory, seeds, compiled=False) if self.program else []

    def install(
        self, directory: str, arguments: Sequence[str], *, compiled: bool = True
    ) -> list[str]:
        """Return the command that installs into a virtual environment.

        `compiled`: uv compiles the whole environment. pip always compiles what it installs.
        """
        return self.install_for(f"{directory}/bin/python", arguments, compiled=compiled)

    def install_for(
        self, python: str, arguments: Sequence[str], *, compiled: bool = True
    ) -> list[str]:
        """Return the command that installs for an interpreter."""
        if self.program:
            options = ["--no-progress", "--python", python, *self.options]
            options += ["--compile-bytecode"] if compiled else []
            return [self.program, "pip", "install", *options, *arguments]
        # -P: a module in the release's directory must not be loaded in the place of pip.
        return [
            python, "-P", "-m", "pip", "install",
            "--no-input", "--disable-pip-version-check", "--progress-bar=off", *arguments,
        ]  # fmt: skip

    def uninstall(self, directory: str, names: Sequence[str]) -> list[str]:
        """Return the command that removes packages from a virtual environment."""
        python = f"{directory}/bin/python"
        if self.program:
            return [self.program, "pip", "uninstall", "--quiet", "--python", python, *names]
        words = [python, "-P", "-m", "pip", "uninstall", "--quiet", "--yes", "--no-input"]
        return [*words, "--disable-pip-version-check", *names]


CACHES = ("PIP_CACHE_DIR", "UV_CACHE_DIR")


def cache_environment(home: str) -> dict[str, str]:
    """Return the environment variables of the installers: their caches and options."""
    return {
        "PIP_CACHE_DIR": f"{home}/pip",
        "UV_CACHE_DIR": f"{home}/uv",
        # uv trusts the host's certificate authorities, as pip and git do.
        "UV_SYSTEM_CERTS": "true",
        "UV_PYTHON_DOWNLOADS": "never",
        # A build can write to the cache, so no environment may have hard links to it.
        "UV_LINK_MODE": "copy",
        "TMPDIR": os.environ.get("TMPDIR", "/tmp"),  # noqa: S108 - private to the unit
    }


NO_SPACE = ("No space left on device", "Disk quota exceeded", "File too large")
HOST_TROUBLE = (
    *NO_SPACE, "Read-only file system", "Cannot allocate memory", "Input/output error",
)  # fmt: skip


def fault(
    status: int, output: str, otherwise: type[UpdateFailedError], indexes: Sequence[str] = ()
) -> AutoupdateError:
    """Return the error for a failed command of a build; its class says whose fault it is.

    `indexes` are the URLs of the package indexes that the command was given.
    """
    reason = summary(output)
    if any(words in output for words in NO_SPACE):
        return NoSpaceError(reason)
    if any(words in output for words in HOST_TROUBLE):
        return HostFaultError(reason)
    if found := trouble.find(output, indexes):
        advice = "see [[build.credentials]] in autoupdate.toml(5)" if found.needs_login else ""
        return UnreachableError(str(found), advice, found.server)
    if status < 0:
        return HostFaultError(f"a program of the build was killed by signal {-status}: {reason}")
    return otherwise(reason)


def summary(output: str) -> str:
    """Return the lines of an installer's output that say why it failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [
        line for line in lines if line.lower().startswith(("error", "\u00d7", "\u2570\u2500\u25b6"))
    ]
    # The last cause that uv prints is the root cause.
    causes = [line for line in lines if line.startswith("cause: ")]
    chosen = [*errors[-1:], *causes[-1:]] if causes else errors[-2:]
    chosen = chosen or lines[-2:] or ["no output"]
    return "; ".join(line[:300] for line in chosen)
