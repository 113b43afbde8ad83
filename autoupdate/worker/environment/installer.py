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


class Installer(NamedTuple):
    """What installs packages; `program` is the path of uv, or empty for pip."""

    name: str
    program: str

    def create(self, python: str, directory: str) -> list[str]:
        """Return the command that makes a virtual environment."""
        if self.program:
            return [self.program, "venv", "--quiet", "--python", python, directory]
        return [python, "-I", "-m", "venv", directory]

    def update_itself(self, directory: str) -> list[str]:
        """Return the command that updates pip in a virtual environment."""
        return [] if self.program else self.install(directory, ["--upgrade", "pip"])

    def complete(self, directory: str, interpreter: str) -> list[str]:
        """Return the command that adds what `python -m venv` would have put there, if need be.

        It comes last and compiles nothing, as these modules outnumber most apps' and hardly run.
        """
        # From Python 3.12 on, that is pip alone (venv).
        older = re.search(r"Python 3\.([0-9]|1[01])\b", interpreter)
        seeds = ["pip", "setuptools"] if older else ["pip"]
        return self.install(directory, seeds, compiled=False) if self.program else []

    def install(
        self, directory: str, arguments: Sequence[str], *, compiled: bool = True
    ) -> list[str]:
        """Return the command that installs into a virtual environment.

        `compiled`: uv compiles all that is in the environment, as pip does what it installs.
        """
        python = f"{directory}/bin/python"
        if self.program:
            options = ["--no-progress", "--python", python]
            options += ["--compile-bytecode"] if compiled else []
            return [self.program, "pip", "install", *options, *arguments]
        # -P: the release's directory must not take pip's place.
        return [
            python, "-P", "-m", "pip", "install",
            "--no-input", "--disable-pip-version-check", "--progress-bar=off", *arguments,
        ]  # fmt: skip


CACHES = ("PIP_CACHE_DIR", "UV_CACHE_DIR")


def cache_environment(home: str) -> dict[str, str]:
    """Return where the installers keep what they downloaded, and how they behave."""
    return {
        "PIP_CACHE_DIR": f"{home}/pip",
        "UV_CACHE_DIR": f"{home}/uv",
        # The host's certificate authorities count for uv as they do for pip and git.
        "UV_NATIVE_TLS": "true",
        "UV_PYTHON_DOWNLOADS": "never",
        # A build can write to the cache, and so into every environment that shares its files.
        "UV_LINK_MODE": "copy",
        "TMPDIR": os.environ.get("TMPDIR", "/tmp"),  # noqa: S108 - private to the unit
    }


NETWORK_TROUBLE = (
    "NewConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ProtocolError", "SSLError",
    "ProxyError", "NameResolutionError", "Connection refused", "Connection reset",
    "Temporary failure in name resolution", "error sending request", "dns error",
    "operation timed out", "Failed to fetch:",
)  # fmt: skip
NO_SPACE = ("No space left on device", "Disk quota exceeded", "File too large")
HOST_TROUBLE = (
    *NO_SPACE, "Read-only file system", "Cannot allocate memory", "Input/output error",
)  # fmt: skip


def fault(status: int, output: str, otherwise: type[UpdateFailedError]) -> AutoupdateError:
    """Return the error for a command of a build that failed: whose fault it is, and why."""
    reason = summary(output)
    if any(words in output for words in NO_SPACE):
        return NoSpaceError(reason)
    if any(words in output for words in HOST_TROUBLE):
        return HostFaultError(reason)
    if any(words in output for words in NETWORK_TROUBLE):
        return UnreachableError(f"the package index cannot be reached: {reason}")
    if status < 0:
        return HostFaultError(f"a program of the build was killed by signal {-status}: {reason}")
    return otherwise(reason)


def summary(output: str) -> str:
    """Return the lines of an installer's output that say why it failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [
        line for line in lines if line.lower().startswith(("error", "\u00d7", "\u2570\u2500\u25b6"))
    ]
    # What uv names last is the cause of all that it named before.
    causes = [line for line in lines if line.startswith("cause: ")]
    chosen = [*errors[-1:], *causes[-1:]] if causes else errors[-2:]
    chosen = chosen or lines[-2:] or ["no output"]
    return "; ".join(line[:300] for line in chosen)
