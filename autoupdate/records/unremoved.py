"""What could not be removed, and why: a list in a file, so that it is reported once."""

import json
import os
from contextlib import suppress

from autoupdate.model.paths import AppPaths


def read(paths: AppPaths) -> dict[str, tuple[str, str]]:
    """Return what could not be removed: why, and a command that helps (or ""), by path."""
    try:
        with open(paths.unremoved, encoding="utf-8") as file:
            listed = json.load(file)
        return {str(path): (str(entry[0]), str(entry[1])) for path, entry in listed.items()}
    except (OSError, ValueError, AttributeError, LookupError, TypeError):
        # Without the list, everything is reported once more.
        return {}


def note(paths: AppPaths, path: str, why: str, advice: str) -> bool:
    """List something that could not be removed; return whether this is news."""
    listed = read(paths)
    if listed.get(path) == (why, advice):
        return False
    listed[path] = (why, advice)
    _write(paths, listed)
    return True


def forget(paths: AppPaths, path: str) -> None:
    """Take something that is removed now from the list."""
    listed = read(paths)
    if listed.pop(path, None) is not None:
        _write(paths, listed)


def move(paths: AppPaths, old: str, new: str) -> None:
    """Write the list for an app whose directory has got another name."""
    listed = read(paths)
    if any(path.startswith(old) for path in listed):
        _write(paths, {
            path.replace(old, new, 1): (why, advice.replace(old, new))
            for path, (why, advice) in listed.items()
        })  # fmt: skip


def _write(paths: AppPaths, listed: dict[str, tuple[str, str]]) -> None:
    # Without space it cannot be written; then the next run reports it again.
    with suppress(OSError):
        if not listed:
            os.unlink(paths.unremoved)
            return
        temporary = f"{paths.unremoved}.new"
        with open(temporary, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)
            json.dump(listed, file, indent=0)
        os.rename(temporary, paths.unremoved)
