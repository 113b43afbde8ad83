"""Lists a directory tree with contents, owners, modes and times, to compare it with another."""

import hashlib
import os
import stat
from typing import NamedTuple

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CHUNK = 1 << 20


class Entry(NamedTuple):
    """One file: `content` is the hash of a regular file, or what a symbolic link leads to.

    The time of a directory is left out: it changes with what is moved in or out.
    """

    kind: str
    mode: int
    user: int
    group: int
    size: int
    changed_at: int
    content: str


def manifest(directory: str) -> dict[str, Entry]:
    """Return an entry for everything below a directory, by relative path; follows no link.

    A path that is not a directory gives only the entry ".". Raises OSError.
    """
    facts = os.lstat(directory)
    holder = os.open(os.path.dirname(directory), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = {".": _entry(os.path.basename(directory), facts, holder)}
    finally:
        os.close(holder)
    if not stat.S_ISDIR(facts.st_mode):
        return found
    for inner, directories, files, descriptor in os.fwalk(directory):
        for name in directories + files:
            seen = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            path = os.path.relpath(f"{inner}/{name}", directory)
            found[path] = _entry(name, seen, descriptor)
    return found


def _entry(name: str, facts: os.stat_result, directory: int) -> Entry:
    kind = stat.S_IFMT(facts.st_mode)
    common = (stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid)
    if kind == stat.S_IFDIR:
        return Entry("directory", *common, 0, 0, "")
    if kind == stat.S_IFLNK:
        return Entry("link", *common, 0, 0, os.readlink(name, dir_fd=directory))
    if kind == stat.S_IFREG:
        content = _hash(name, directory)
        return Entry("file", *common, facts.st_size, facts.st_mtime_ns, content)
    return Entry("other", *common, 0, 0, str(facts.st_rdev))


def _hash(name: str, directory: int) -> str:
    digest = hashlib.sha256()
    descriptor = os.open(name, READ, dir_fd=directory)
    with open(descriptor, "rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
