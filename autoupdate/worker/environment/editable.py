"""The install of a repository's own package, copied from an earlier release if possible.

An editable install is a few small files that point to the release's directory. The build back end
that makes them takes longer than all the rest of an update. So trace.py records which files of the
repository the back end reads. While these are unchanged, its result is the same except for the path
of the release, and can be copied. Runs in the worker.
"""

import hashlib
import json
import os
from base64 import urlsafe_b64encode
from contextlib import suppress
from typing import Any, NamedTuple

from packaging.utils import canonicalize_name

from autoupdate.worker.environment.files import distributions

# Files of an editable install are smaller than this. Larger ones are something else.
LARGEST = 1 << 20
# Files that a build leaves, and directories that do not influence an install.
LEFT_BY_BUILDS = (".egg-info", ".dist-info", ".pyc", "__pycache__")
NOT_OF_THE_APP = (".git", ".venv", "build")


class Trace(NamedTuple):
    """The files and directories that a build back end read, as paths in the release."""

    files: tuple[str, ...]
    directories: tuple[str, ...]


def read_trace(log: str, release: str) -> Trace | None:
    """Read what trace.py wrote while the app of a release was installed.

    None: there is no trace, or the back end did something that a trace does not cover: it started a
    process, wrote to the release, or read its Git data.
    """
    try:
        with open(log, encoding="utf-8") as stream:
            records = [json.loads(line) for line in stream]
    except (OSError, ValueError):
        return None
    files: set[str] = set()
    directories = {""}
    for record in records:
        for kind, place in record:
            if kind == "process":
                return None
            path = _inside(place, release)
            if path is None or _is_left_by_build(path):
                continue
            if kind == "write" or path.split("/")[0] == ".git":
                return None
            (files if kind == "read" else directories).add(path)
            if kind == "read":
                # Tests whether a file next to it exists leave no trace.
                directories.add(os.path.dirname(path))
    return Trace(tuple(sorted(files)), tuple(sorted(directories))) if records else None


def _inside(place: str, release: str) -> str | None:
    if place == release:
        return ""
    return place.removeprefix(f"{release}/") if place.startswith(f"{release}/") else None


def _is_left_by_build(path: str) -> bool:
    parts = path.split("/")
    return parts[0] in NOT_OF_THE_APP[1:] or any(part.endswith(LEFT_BY_BUILDS) for part in parts)


def inputs(release: str, trace: Trace) -> str:
    """Return a digest of what a build back end would read in a release."""
    digest = hashlib.sha256()
    for path in trace.files:
        try:
            with open(f"{release}/{path}", "rb") as stream:
                content = hashlib.sha256(stream.read()).hexdigest()
        except OSError as error:
            content = str(error.errno)
        digest.update(f"{path}\0{content}\0".encode(errors="surrogateescape"))
    for path in trace.directories:
        names = []
        with suppress(OSError):
            names = sorted(os.listdir(f"{release}/{path}"))
        kept = [
            name
            for name in names
            if not name.endswith(LEFT_BY_BUILDS) and (path or name not in NOT_OF_THE_APP)
        ]
        digest.update(f"{path}\0{kept}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()


def keep(memory: str, venv: str, release: str, name: str, trace: Trace | None) -> None:
    """Record how a package of a release is installed in its environment, for later releases.

    Raises OSError.
    """
    files = installed_files(venv, release, name)
    if trace is None or files is None:
        with suppress(FileNotFoundError):
            os.unlink(memory)
        return
    facts = {
        "release": release, "trace": trace, "inputs": inputs(release, trace), "files": files,
    }  # fmt: skip
    temporary = f"{memory}.new"
    with suppress(FileNotFoundError):
        # Removed first: upstream may have put a link there.
        os.unlink(temporary)
    with open(temporary, "x", encoding="utf-8") as stream:
        json.dump(facts, stream)
    os.rename(temporary, memory)


def take_over(memory: str, release: str) -> bool:
    """Install a package in a release by copying the recorded install; return whether that worked.

    It does not if the inputs of the build back end have changed, or if nothing is recorded.
    """
    try:
        facts = _read_json(memory)
        trace = Trace(*facts["trace"])
        if inputs(release, trace) != facts["inputs"]:
            return False
    except (OSError, ValueError, KeyError, TypeError):
        return False
    _write(f"{release}/.venv", facts, release)
    return True


def _write(venv: str, facts: dict[str, Any], release: str) -> None:
    written: dict[str, bytes] = {}
    for path, (mode, text) in facts["files"].items():
        content = text.replace(facts["release"], release).encode("utf-8", "surrogateescape")
        written[path] = content
        if path.endswith(".dist-info/RECORD"):
            content = _record(content.decode("utf-8", "surrogateescape"), path, written)
        os.makedirs(os.path.dirname(f"{venv}/{path}"), exist_ok=True)
        with suppress(FileNotFoundError):
            # Removed first: other releases have hard links to this file.
            os.unlink(f"{venv}/{path}")
        with open(f"{venv}/{path}", "xb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), mode)


def _record(text: str, record: str, written: dict[str, bytes]) -> bytes:
    """Return RECORD with the digests of the written files (PyPA, recording installed projects)."""
    top = os.path.dirname(os.path.dirname(record))
    lines = []
    for line in text.splitlines():
        name, _, rest = line.partition(",")
        content = written.get(os.path.normpath(f"{top}/{name}"))
        if content is not None and rest != ",":
            digest = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            rest = f"sha256={digest},{len(content)}"
        lines.append(f"{name},{rest}\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def installed_files(venv: str, release: str, name: str) -> dict[str, tuple[int, str]] | None:
    """Return mode and text of each file of a package's install, RECORD last.

    None: it is not an install that can be copied.
    """
    paths = _recorded(venv, facts_of(venv, name))
    if not paths:
        return None
    found = {}
    for path in sorted(paths, key=lambda path: path.endswith("/RECORD")):
        place = f"{venv}/{path}"
        if path.endswith(".pyc"):
            continue
        try:
            if os.path.islink(place) or os.stat(place).st_size > LARGEST:
                return None
            with open(place, encoding="utf-8", errors="surrogateescape", newline="") as stream:
                text = stream.read()
        except OSError:
            return None
        # With the path that it has in the release's own environment.
        text = text.replace(venv, f"{release}/.venv")
        found[path] = (os.stat(place).st_mode & 0o777, text)
    return found if any(release in text for _, text in found.values()) else None


def _read_json(file: str) -> dict[str, Any]:
    with open(file, encoding="utf-8") as stream:
        return dict(json.load(stream))


def facts_of(venv: str, package: str) -> str:
    """Return the .dist-info directory of a package in an environment; empty if it has none."""
    wanted = canonicalize_name(package)
    return next((item.facts for item in distributions(venv) if item.name == wanted), "")


def _recorded(venv: str, facts: str) -> list[str]:
    """Return the files of a package, as paths in the environment."""
    if not facts:
        return []
    top = os.path.dirname(facts)
    try:
        with open(f"{facts}/RECORD", encoding="utf-8", errors="surrogateescape") as stream:
            lines = stream.read().splitlines()
    except OSError:
        return []
    names = [line.rsplit(",", 2)[0].strip('"') for line in lines if line]
    paths = [os.path.relpath(os.path.normpath(f"{top}/{name}"), venv) for name in names]
    return [path for path in paths if not path.startswith("../")]
