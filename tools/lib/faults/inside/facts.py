"""Prints the files and processes of this host as JSON.

It imports nothing of the package, because the output of the package is compared with this.
"""

import hashlib
import json
import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from typing import Any

HOME = "/var/lib/autoupdate/ipfs-accelerate"
SHARED = ("state", "logs")
# Files in a release that a build has created, in addition to upstream's files.
BUILT = (".git", ".venv", "__pycache__", "build")
IMPORT = "import ipfs_accelerate_py.about, ipfs_accelerate_py.version as v; print(v.VERSION)"


def blob(path: str) -> str:
    """Return Git's hash of the content of a file or link."""
    if os.path.islink(path):
        content = os.readlink(path).encode()
    else:
        with open(path, "rb") as stream:
            content = stream.read()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def tree(release: str) -> dict[str, str]:
    """Return the blobs of upstream's files in a release, by path."""
    found = {}
    for directory, names, files in os.walk(release):
        top = directory == release
        names[:] = [
            name
            for name in names
            if name not in BUILT and not name.endswith(".egg-info") and not (top and name in SHARED)
        ]
        links = [name for name in names if os.path.islink(f"{directory}/{name}")]
        for name in files + links:
            if name not in BUILT and not (top and name in SHARED):
                path = f"{directory}/{name}"
                found[os.path.relpath(path, release)] = blob(path)
    return found


def rows(query: str) -> list[Any] | str:
    """Query a copy of the state, so that the journal of a killed run is rolled back in the copy."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for suffix in ("", "-journal"):
                if os.path.exists(f"{HOME}/state.db{suffix}"):
                    shutil.copyfile(f"{HOME}/state.db{suffix}", f"{scratch}/state.db{suffix}")
            connection = sqlite3.connect(f"{scratch}/state.db")
            try:
                return [list(row) for row in connection.execute(query)]
            finally:
                connection.close()
        except (OSError, sqlite3.Error) as error:
            return str(error)


def link(path: str) -> str:
    """Return the target of a link; empty if there is no link."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


def listing(path: str) -> list[str]:
    """Return the names in a directory; an empty list if it does not exist."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def processes(user: str) -> list[str]:
    """Return the command lines of a user's processes."""
    number = pwd.getpwnam(user).pw_uid
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as stream:
                words = stream.read().replace(b"\0", b" ").decode(errors="replace").strip()
            if words and os.stat(f"/proc/{name}").st_uid == number:
                found.append(f"{name} {words}"[:200])
        except OSError:
            continue
    return found


def leftovers() -> list[str]:
    """Return what only a running update may have: temporary links, locks, incomplete packs."""
    found = [f"{HOME}/{name}" for name in listing(HOME) if name.endswith(".new") or name == "seed"]
    for directory, _, files in os.walk(f"{HOME}/repo.git"):
        half = ("tmp_pack_", "tmp_idx_", "tmp_obj_")
        found += [
            f"{directory}/{name}"
            for name in files
            if name.endswith(".lock") or name.startswith(half)
        ]
    return found


def imported(path: str) -> str:
    """Import the application as its service does; return the version, or the error."""
    try:
        done = subprocess.run(
            [f"{path}/.venv/bin/python3", "-B", "-c", IMPORT],
            cwd=path, capture_output=True, text=True, timeout=60,
            check=False, user="accelerate", group="accelerate", extra_groups=[],
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()[-300:]


def content(path: str) -> str:
    """Return the text of a file, or the error if it cannot be read."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read().strip()
    except OSError as error:
        return str(error)


def facts(path: str) -> dict[str, Any]:
    """Return everything."""
    real = os.path.realpath(path)
    return {
        "link": link(path),
        "release": os.path.basename(real) if real.startswith(f"{HOME}/releases/") else "",
        "previous": os.path.basename(link(f"{HOME}/previous")),
        "version_file": content(f"{real}/VERSION"),
        "version_module": content(f"{real}/ipfs_accelerate_py/version.py"),
        "imported": imported(real),
        "trees": {name: tree(f"{HOME}/releases/{name}") for name in listing(f"{HOME}/releases")},
        "python": [
            name
            for name in listing(f"{HOME}/releases")
            if os.path.exists(f"{HOME}/releases/{name}/.venv/bin/python")
        ],
        "environments": listing(f"{HOME}/environments"),
        "recorded": rows('SELECT id, "commit", environment FROM releases'),
        "unfinished": rows("SELECT id, step FROM transactions WHERE finished_at = ''"),
        "quarantine": rows('SELECT "commit", reason FROM quarantine'),
        "leftovers": leftovers(),
        "processes": processes("_autoupdate"),
    }


if __name__ == "__main__":
    print(json.dumps(facts(sys.argv[1])))
