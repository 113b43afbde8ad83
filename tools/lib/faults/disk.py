"""A disk that records each write and each flush, as a file in a FUSE mount (fuse(4)).

A loop device on that file passes on the writes of a file system, and its flushes as fsync(2). So
the log shows for each moment what a disk must have kept, and what it could still lose.
`python3 -m tools.lib.faults.disk IMAGE LOG DIRECTORY` serves DIRECTORY/disk until it is unmounted.
"""

import errno
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

NAME = "disk"
# Offset and length; a length of 0 is a flush.
_HEAD = struct.Struct("<QI")


class Write(NamedTuple):
    """One write to the disk; without data it is a flush, and everything before it is safe."""

    offset: int
    data: bytes

    @property
    def is_flush(self) -> bool:
        """Return whether this is a flush."""
        return not self.data


def read_log(log: Path, begin: int = 0) -> Iterator[Write]:
    """Return the writes since the log was `begin` bytes long."""
    with log.open("rb") as stream:
        stream.seek(begin)
        while head := stream.read(_HEAD.size):
            offset, length = _HEAD.unpack(head)
            yield Write(offset, stream.read(length))


def serve(image: str, log: str, directory: str) -> None:
    """Serve the disk until it is unmounted."""
    from fusepy import FUSE, FuseOSError, Operations

    class Disk(Operations):  # type: ignore[misc]
        """The file system with the only file."""

        def __init__(self) -> None:
            self.image = os.open(image, os.O_RDWR)
            self.log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

        def getattr(self, path: str, fh: Any = None) -> dict[str, int]:
            """Return mode and size (stat(2))."""
            if path == "/":
                return {"st_mode": 0o040700, "st_nlink": 2}
            if path != f"/{NAME}":
                raise FuseOSError(errno.ENOENT)
            size = os.fstat(self.image).st_size
            return {"st_mode": 0o100600, "st_nlink": 1, "st_size": size}

        def readdir(self, path: str, fh: int) -> list[str]:
            """List the only file."""
            return [".", "..", NAME]

        def open(self, path: str, flags: int) -> int:
            """Open it."""
            return 0

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            """Read from it."""
            return os.pread(self.image, size, offset)

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            """Write to it, and to the log."""
            os.write(self.log, _HEAD.pack(offset, len(data)) + data)
            return os.pwrite(self.image, data, offset)

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            """Record a flush."""
            os.write(self.log, _HEAD.pack(0, 0))
            return 0

    FUSE(Disk(), directory, foreground=True, nothreads=True, big_writes=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
