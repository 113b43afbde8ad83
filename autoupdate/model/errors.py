"""The errors that are reported to the administrator, each with its exit code.

A message says what happened, to which app and commit, and what is deployed now; `advice` says
what to do next. Any other exception is a bug.
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `autoupdatectl`; 69, 75 and 77 are those of sysexits.h(3head)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    BROKEN = 3
    UNREACHABLE = 69
    BUSY = 75
    NOT_PERMITTED = 77


class AutoupdateError(Exception):
    """An error that the administrator must know of; the command exits with `exit_code`."""

    exit_code = Exit.FAILED

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


class UpdateFailedError(AutoupdateError):
    """The update failed; the last good release is kept."""


class HostFaultError(UpdateFailedError):
    """The update failed because of the host (space, memory, permissions), not of the commit."""


class NoexecError(HostFaultError):
    """Nothing can be executed where releases are: no commit can run, so none is counted."""


class PackageRemovedError(HostFaultError):
    """This package was removed during the run, which needs its files."""


class NoSpaceError(HostFaultError):
    """No space was left on the device; the commit's own build may have used it up."""


class DependenciesFailedError(UpdateFailedError):
    """The dependencies of a commit cannot be installed; other commits may have the same ones."""


class ConfigurationError(AutoupdateError):
    """A setting or an argument is not valid."""

    exit_code = Exit.USAGE


class UnusableUpstreamError(ConfigurationError):
    """Upstream answers, but is a repository of a kind that cannot be followed."""


class BrokenError(AutoupdateError):
    """Neither the new nor the previous release works: manual action needed."""

    exit_code = Exit.BROKEN


class UnreachableError(AutoupdateError):
    """A server that an update needs did not answer as it should; `server` is empty for upstream."""

    exit_code = Exit.UNREACHABLE

    def __init__(self, message: str, advice: str = "", server: str = "") -> None:
        super().__init__(message, advice)
        self.server = server


class NoCandidateError(AutoupdateError):
    """Upstream answered, but has no commit that `upstream.track` allows."""


class DamagedMirrorError(HostFaultError):
    """The local mirror is damaged; it must be fetched again."""


class BusyError(AutoupdateError):
    """Another run holds the lock of this app."""

    exit_code = Exit.BUSY


class NotPermittedError(AutoupdateError):
    """The caller is not permitted to do this."""

    exit_code = Exit.NOT_PERMITTED


class Interrupted(KeyboardInterrupt):
    """A signal ended the command; the exit code is 128 and its number (bash(1))."""

    def __init__(self, message: str, exit_code: int = 130) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


def describe(error: OSError) -> str:
    """Return the message of the operating system, with the file if there is one."""
    message = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {message}" if error.filename else message
