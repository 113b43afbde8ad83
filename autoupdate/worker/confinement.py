"""Limits where a process may write, with Landlock, which needs no privileges.

Sources: landlock(7), and userspace-api/landlock in the kernel's documentation. A restriction is
permanent, and all children inherit it. It covers changes of files and, with newer kernels, signals
to processes outside; those cannot be traced or inspected, either. Reading is not restricted: a
build may need any file of the host that its user can read.
"""

import ctypes
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1
PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
# The first version forbids all links and renames from one directory to another.
LEAST_VERSION = 2
# linux/landlock.h: the rights to change something, and the version that introduced them.
WRITE_FILE, TRUNCATE, IOCTL_DEVICE = 1 << 1, 1 << 14, 1 << 15
REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
REFER = 1 << 13
SCOPES = (1 << 0) | (1 << 1)  # abstract sockets, signals
VERSION_OF_TRUNCATE, VERSION_OF_NETWORK, VERSION_OF_SCOPES = 3, 4, 6
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - semaphores of multiprocessing are made there
# Devices that programs write to and that store nothing, and shared memory.
HARMLESS = (
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
    SHARED_MEMORY,
)


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64),
    )  # fmt: skip


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


_library = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """Return the version of Landlock that this kernel has; zero for none."""
    found = _library.syscall(CREATE_RULESET, None, 0, CREATE_RULESET_VERSION)
    return max(0, int(found))


def is_possible() -> bool:
    """Return whether this kernel's Landlock is new enough to confine a process."""
    return version() >= LEAST_VERSION


def confine(writable: Sequence[str]) -> None:
    """Allow this process and its children to write only to these files and directories.

    Paths that do not exist are ignored. Does nothing where `is_possible` is false. Raises OSError.
    """
    with prepared(writable) as restrict:
        restrict()


@contextmanager
def prepared(writable: Sequence[str]) -> Iterator[Callable[[], None]]:
    """Yield a function that confines the calling process, like `confine`; cheap after a fork(2)."""
    if not is_possible():
        yield lambda: None
        return
    ruleset = _make(writable)

    def restrict() -> None:
        _call(_library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _call(_library.syscall(RESTRICT_SELF, ruleset, 0))

    try:
        yield restrict
    finally:
        os.close(ruleset)


def hide() -> None:
    """Keep processes of the same user from inspecting this one (PR_SET_DUMPABLE, prctl(2))."""
    _call(_library.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))


def _make(writable: Sequence[str]) -> int:
    """Make a ruleset; return its descriptor, which is closed on exec(3)."""
    known = version()
    files = WRITE_FILE | (TRUNCATE if known >= VERSION_OF_TRUNCATE else 0)
    everything = files | REMOVE_AND_MAKE | REFER
    # Older kernels expect a shorter structure.
    size = 8 if known < VERSION_OF_NETWORK else 16 if known < VERSION_OF_SCOPES else 24
    description = _Ruleset(everything, 0, SCOPES if known >= VERSION_OF_SCOPES else 0)
    ruleset = _call(_library.syscall(CREATE_RULESET, ctypes.byref(description), size, 0))
    for path in (*writable, *HARMLESS):
        with suppress(FileNotFoundError):
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                is_directory = stat.S_ISDIR(os.fstat(place).st_mode)
                rule = _PathBeneath(everything if is_directory else files, place)
                _call(_library.syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(rule), 0))
            finally:
                os.close(place)
    return ruleset


def _call(result: int) -> int:
    """Return the result of a system call. Raises OSError."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
