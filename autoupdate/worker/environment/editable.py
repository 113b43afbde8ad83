"""The editable install of the app in a release, taken over from the release before.

Such an install is a few small files that lead to the release's directory. To make them, a build
back end is loaded, which takes longer than all the rest of an update. It is traced (trace.py)
which of the app's files it read; as long as these are the same, its result is, too, but for the
path of the release. Runs in the worker.
"""

import hashlib
import json
import os
import shutil
from base64 import urlsafe_b64encode
from contextlib import suppress
from typing import Any, NamedTuple

# More than an editable install writes: something else is kept in there.
LARGEST = 1 << 20
# What a build leaves in a directory, and what never decides about an installation.
LEFT_BY_BUILDS = (".egg-info", ".dist-info", ".pyc", "__pycache__")
NOT_OF_THE_APP = (".git", ".venv", "build")


class Trace(NamedTuple):
    """What a build back end looked at, by paths in the release; None: more than can be told."""

    files: tuple[str, ...]
    directories: tuple[str, ...]


def read_trace(log: str, release: str) -> Trace | None:
    """Read what trace.py wrote while the app of a release was installed."""
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
                # Whether a file beside it exists may have been asked without a trace.
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
    """Return a digest of what a build back end would find in a release."""
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


def keep(memory: str, venv: str, release: str, trace: Trace | None) -> None:
    """Remember how the app of a release is installed in an environment, for those after it.

    Raises OSError.
    """
    files = installed_files(venv, release)
    if trace is None or files is None:
        with suppress(FileNotFoundError):
            os.unlink(memory)
        return
    facts = {
        "release": release, "trace": trace, "inputs": inputs(release, trace), "files": files,
    }  # fmt: skip
    temporary = f"{memory}.new"
    with suppress(FileNotFoundError):
        # Written anew: what lies there may be a link of upstream's.
        os.unlink(temporary)
    with open(temporary, "x", encoding="utf-8") as stream:
        json.dump(facts, stream)
    os.rename(temporary, memory)


def take_over(memory: str, release: str) -> bool:
    """Install the app in a release as in the one that is remembered, if that is the same work."""
    try:
        facts = _read_json(memory)
        trace = Trace(*facts["trace"])
        if inputs(release, trace) != facts["inputs"]:
            return False
    except (OSError, ValueError, KeyError, TypeError):
        return False
    venv = f"{release}/.venv"
    # That of the release with which the dependencies were installed came with them.
    former = _own_facts(venv)
    for path in _recorded(venv):
        with suppress(FileNotFoundError):
            os.unlink(f"{venv}/{path}")
    for directory in former:
        shutil.rmtree(directory)
    _write(venv, facts, release)
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
            # Written in place, it would change for other releases as well.
            os.unlink(f"{venv}/{path}")
        with open(f"{venv}/{path}", "xb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), mode)


def _record(text: str, record: str, written: dict[str, bytes]) -> bytes:
    """Write RECORD with the digests of what was written (PyPA, recording installed projects)."""
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


def installed_files(venv: str, release: str) -> dict[str, tuple[int, str]] | None:
    """Return mode and text of each file of the app's install, RECORD last; None: not like that."""
    paths = _recorded(venv)
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
        # As it would be in the release's own environment.
        text = text.replace(venv, f"{release}/.venv")
        found[path] = (os.stat(place).st_mode & 0o777, text)
    return found if any(release in text for _, text in found.values()) else None


def _read_json(file: str) -> dict[str, Any]:
    with open(file, encoding="utf-8") as stream:
        return dict(json.load(stream))


def _own_facts(venv: str) -> list[str]:
    """Return the .dist-info directory of what is installed editable in an environment."""
    found = []
    for library in os.listdir(f"{venv}/lib"):
        top = f"{venv}/lib/{library}/site-packages"
        for name in os.listdir(top) if os.path.isdir(top) else ():
            if name.endswith(".dist-info"):
                facts = f"{top}/{name}"
                with suppress(OSError, ValueError, KeyError, TypeError):
                    if _read_json(f"{facts}/direct_url.json")["dir_info"]["editable"] is True:
                        found.append(facts)
    return found


def _recorded(venv: str) -> list[str]:
    """Return the files of what is installed editable, by their paths in the environment."""
    facts = _own_facts(venv)
    if len(facts) != 1:
        # None, or others beside the app: what belongs to which is not told here.
        return []
    (directory,) = facts
    top = os.path.dirname(directory)
    with open(f"{directory}/RECORD", encoding="utf-8", errors="surrogateescape") as stream:
        names = [line.rsplit(",", 2)[0].strip('"') for line in stream.read().splitlines() if line]
    paths = [os.path.relpath(os.path.normpath(f"{top}/{name}"), venv) for name in names]
    return [path for path in paths if not path.startswith("../")]
