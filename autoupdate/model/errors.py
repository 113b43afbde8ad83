"""The one family of errors that reach the administrator, each with its exit code.

A message says what happened, to which app and commit, and what was left in place; `advice`
says what to type next. Anything else that is raised is a bug.
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
    """Something an administrator has to know; ends the command with `exit_code`."""

    exit_code = Exit.FAILED

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


class UpdateFailedError(AutoupdateError):
    """The update was not made; the last good release is in place."""


class HostFaultError(UpdateFailedError):
    """The update failed for a reason of the host (space, memory, permissions), not the commit's."""


class NoSpaceError(HostFaultError):
    """There was no space left to go on with; perhaps because the commit's own build took it."""


class DependenciesFailedError(UpdateFailedError):
    """The dependencies of a commit cannot be installed, whatever its code is."""


class ConfigurationError(AutoupdateError):
    """A setting or an argument that cannot be used as it stands."""

    exit_code = Exit.USAGE


class BrokenError(AutoupdateError):
    """Neither the new nor the previous release works: a person is needed."""

    exit_code = Exit.BROKEN


class UnreachableError(AutoupdateError):
    """Upstream did not answer, or answered with something that is no repository."""

    exit_code = Exit.UNREACHABLE


class NoCandidateError(AutoupdateError):
    """Upstream answered, and has nothing that the host's policy admits."""


class DamagedMirrorError(HostFaultError):
    """The local mirror cannot be used; it has to be made anew."""


class BusyError(AutoupdateError):
    """Another run holds the lock of this app."""

    exit_code = Exit.BUSY


class NotPermittedError(AutoupdateError):
    """The caller lacks the rights for what was asked."""

    exit_code = Exit.NOT_PERMITTED


def describe(error: OSError) -> str:
    """Return what the system said, with the file if there is one."""
    words = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {words}" if error.filename else words
