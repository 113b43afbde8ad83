"""Answers of a Git server that do not end (gitprotocol-v2(5), gitformat-pack(5))."""

import os
import struct
import zlib
from collections.abc import Iterator

COMMIT = b"0" * 39 + b"1"
# Content of one blob that cannot be compressed.
BLOB = 1 << 20


def line(content: bytes) -> bytes:
    """Return a pkt-line."""
    return b"%04x" % (len(content) + 4) + content


# The answer to a client that has said which commits it has.
READY = line(b"acknowledgments\n") + line(b"ready\n") + b"0001" + line(b"packfile\n")


def refs() -> Iterator[bytes]:
    """Yield names of branches without end."""
    number = 0
    while True:
        yield b"".join(
            line(COMMIT + b" refs/heads/%0200d\n" % (number + more)) for more in range(1000)
        )
        number += 1000


def pack() -> Iterator[bytes]:
    """Yield a pack with more and more blobs."""
    yield READY
    yield band(1, b"PACK" + struct.pack(">LL", 2, 1_000_000))
    blob = blob_header(BLOB) + zlib.compress(os.urandom(BLOB), 0)
    while True:
        yield band(1, blob)


def chatter() -> Iterator[bytes]:
    """Yield progress messages without end."""
    yield READY
    while True:
        yield band(2, b"Counting objects\n" * 100_000)


def band(number: int, content: bytes) -> bytes:
    """Return content as pkt-lines of one side band."""
    most = 65_000
    pieces = [content[begin : begin + most] for begin in range(0, len(content), most)]
    return b"".join(line(bytes([number]) + piece) for piece in pieces)


def blob_header(size: int) -> bytes:
    """Return the head of a blob in a pack."""
    first, size = (3 << 4) | (size & 15), size >> 4
    head = []
    while size:
        head.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    return bytes([*head, first])
