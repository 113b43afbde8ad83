"""Directories that are slow to create and are kept between test runs, outside the checkout."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

DEFAULT_DIRECTORY = "/var/cache/autoupdate-test-hosts"

# File descriptors with the shared locks of this process.
_in_use: dict[Path, int] = {}


def cache_directory() -> Path:
    """Return the directory of prepared trees and running copies."""
    directory = Path(os.environ.get("AUTOUPDATE_TEST_CACHE", DEFAULT_DIRECTORY))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def running_directory() -> Path:
    """Return the directory with the files of hosts that are in use."""
    directory = cache_directory() / "running"
    directory.mkdir(exist_ok=True)
    return directory


def obtain(name: str, key: str, build: Callable[[Path], None], keep: int = 2) -> Path:
    """Return the directory for this key; build it if it does not exist.

    Of the directories of one name, the newest `keep` and those in use are kept. A process uses what
    it has obtained until it ends.
    """
    directory = cache_directory()
    path = directory / f"{name}-{key}"
    with _locked(directory / f"{name}.lock"):
        if not path.exists():
            unfinished = directory / f"{name}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            build(unfinished)
            unfinished.rename(path)
            path.touch()
        if path not in _in_use:
            _in_use[path] = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(_in_use[path], fcntl.LOCK_SH)
        _prune(directory, name, keep)
    return path


def _prune(directory: Path, name: str, keep: int) -> None:
    entries = sorted(directory.glob(f"{name}-*"), key=lambda entry: entry.lstat().st_mtime)
    for path in entries[:-keep]:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
