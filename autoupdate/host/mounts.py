"""Mounts: which one a directory belongs to (proc(5), fdinfo and mountinfo)."""

import os
import re
from contextlib import suppress


def mount_of(descriptor: int) -> str:
    """Return the mount of an open directory; its device where the kernel does not say more.

    A bind mount has the device of what is mounted there, but a number of its own.
    """
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as facts:
            return next(line.split()[1] for line in facts if line.startswith("mnt_id:"))
    except (OSError, StopIteration):
        return f"device {os.fstat(descriptor).st_dev}"


def noexec_mount(*directories: str) -> str:
    """Return where the first directory is mounted in which nothing can be executed; else ""."""
    for directory in directories:
        with suppress(FileNotFoundError):
            if os.statvfs(directory).f_flag & os.ST_NOEXEC:
                return mount_point(directory)
    return ""


def mount_point(path: str) -> str:
    """Return where the file system of a directory is mounted; the path itself if unknown."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            number = mount_of(descriptor)
        finally:
            os.close(descriptor)
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            places = [line.split()[4] for line in mounts if line.split()[0] == number]
    except OSError:
        return path
    # Spaces and the like are written as octal numbers.
    return re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), places[-1]) if places else path
