"""What directories take of the disk."""

import os

BLOCK = 512
# A file of an environment has a name there, and one in each release that is made of it.
MOST_NAMES = 2


def own_bytes(directory: str) -> int:
    """Return the bytes on disk of a directory's files, as stat(2) counts them.

    Left out are files that more than one other directory shares. Raises OSError.
    """
    total = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            facts = entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                total += own_bytes(entry.path) + facts.st_blocks * BLOCK
            elif facts.st_nlink <= MOST_NAMES:
                total += facts.st_blocks * BLOCK
    return total
