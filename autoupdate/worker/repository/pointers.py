"""Pointers of Git LFS: what a commit has in place of a file that is stored elsewhere.

The format is in docs/spec.md of git-lfs.
"""

import hashlib
import os
import re
from typing import NamedTuple

# A longer or shorter file is no pointer.
SHORTEST, LONGEST = 100, 1024
VERSION = "version https://git-lfs.github.com/spec/v1\n"
FIRST_LINE = re.compile(
    rb"version (https://git-lfs\.github\.com/spec/v1|https://hawser\.github\.com/spec/v1"
    rb"|http://git-media\.io/v/2)\n"
)
OBJECT = re.compile(rb"^oid sha256:([0-9a-f]{64})$", re.MULTILINE)
SIZE = re.compile(rb"^size ([0-9]{1,18})$", re.MULTILINE)


class Pointer(NamedTuple):
    """The object that is meant, by the SHA-256 of its content, and its size in bytes."""

    object: str
    size: int


def parse(content: bytes) -> Pointer | None:
    """Return what a file points to; None if it is no pointer."""
    if len(content) > LONGEST or not FIRST_LINE.match(content):
        return None
    name, size = OBJECT.search(content), SIZE.search(content)
    return Pointer(name[1].decode(), int(size[1])) if name and size else None


def text(pointer: Pointer) -> str:
    """Return the file that points to an object."""
    return f"{VERSION}oid sha256:{pointer.object}\nsize {pointer.size}\n"


def read(file: str) -> Pointer | None:
    """Return what a file points to; None if it is no pointer. Raises OSError."""
    with open(file, "rb") as stream:
        return parse(stream.read(LONGEST + 1))


def is_content(file: str, pointer: Pointer) -> bool:
    """Return whether a file has the content that a pointer means. Raises OSError."""
    if os.stat(file).st_size != pointer.size:
        return False
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == pointer.object
