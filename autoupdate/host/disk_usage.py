"""The disk space that directories take."""

import os

BLOCK = 512
# A file of an environment has one name there, and one in each release that is copied from it.
MOST_NAMES = 2


def own_bytes(directory: str) -> int:
    """Return the bytes on disk of a directory's files, as stat(2) counts them.

    Files with more than MOST_NAMES names are left out: other directories share them.
    Raises OSError.
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
