"""Makes two names change places in one step: neither is ever missing (renameat2(2))."""

import ctypes
import errno
import os
import sys

RENAME_EXCHANGE = 2
# The errors of a file system, a kernel or a container that does not support this.
UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)

_library = ctypes.CDLL(None, use_errno=True)


def exchange(left: str, right: str, *, left_directory: int, right_directory: int) -> None:
    """Make the names in two open directories change places. Raises OSError."""
    # Like Python's own os.rename, for audit hooks.
    sys.audit("os.rename", left, right, left_directory, right_directory)
    names = [ctypes.c_char_p(os.fsencode(name)) for name in (left, right)]
    if _library.renameat2(left_directory, names[0], right_directory, names[1], RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), left, None, right)
