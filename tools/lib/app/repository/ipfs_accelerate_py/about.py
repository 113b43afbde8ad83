"""What this process is."""

import os
import re
import time
from importlib.metadata import version as installed_version
from pathlib import Path

# Requirements of the application: without them nothing here starts.
import blinker
import itsdangerous

from .version import HEALTHY, VERSION

DIRECTORY = Path(__file__).resolve().parents[1]
STARTED = time.time()


def commit() -> str:
    """Return the commit of the code's checkout, read without Git; empty if it cannot be told."""
    try:
        git = DIRECTORY / ".git"
        if git.is_file():
            git = DIRECTORY / git.read_text().removeprefix("gitdir:").strip()
        common = git / "commondir"
        shared = (git / common.read_text().strip()) if common.is_file() else git
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head
        name = head.removeprefix("ref:").strip()
        if (shared / name).is_file():
            return (shared / name).read_text().strip()
        packed = (shared / "packed-refs").read_text()
        found = re.search(rf"^([0-9a-f]+) {re.escape(name)}$", packed, re.M)
        return found[1] if found else ""
    except OSError:
        return ""


COMMIT = commit()


def about() -> dict[str, object]:
    """Return the facts that tests compare."""
    return {
        "healthy": HEALTHY,
        "version": VERSION,
        "commit": COMMIT,
        "directory": str(DIRECTORY),
        "pid": os.getpid(),
        "started": STARTED,
        "requirements": {
            module.__name__: installed_version(module.__name__)
            for module in (blinker, itsdangerous)
        },
    }
