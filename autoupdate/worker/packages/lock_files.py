"""What the lock files of a repository say: the versions to take, and the hashes of their files.

Those of uv, Poetry and PDM, and pylock.toml (PEP 751). A version that does not fit the declared
requirements is not taken, and said; the hashes are held against what is downloaded.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName
from packaging.utils import canonicalize_name

LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml")
# Those of other tools, and named ones of PEP 751, of which nobody says which is meant.
UNREAD = (
    "Pipfile.lock", "Pipfile", "conda-lock.yml", "environment.yml", "environment.yaml", "pixi.lock",
    "pylock.*.toml",
)  # fmt: skip


class Locked(NamedTuple):
    """One package of a lock file."""

    name: str
    version: str
    hashes: tuple[str, ...]
    file: str


def read(directory: str, places: Sequence[str], python: str) -> tuple[dict[str, Locked], list[str]]:
    """Return the packages that lock files pin, by name, and what is wrong with these files.

    `places` are the directories to look in, each empty or ending in a slash. `python` is the
    version for which markers are evaluated.
    """
    found: dict[str, Locked] = {}
    faults = []
    for path in present(directory, places):
        try:
            for package in packages(f"{directory}/{path}", path, python):
                found.setdefault(package.name, package)
        except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
            faults.append(f"{path} cannot be read, and is not kept to: {error}")
    faults += [
        f"{path} is not read: name what it pins in a file of build.requirements"
        for path in unread(directory, places)
    ]
    return found, faults


def unread(directory: str, places: Sequence[str]) -> list[str]:
    """Return the files that say which packages are needed, and that nothing here reads."""
    found = []
    for place in places:
        # A directory that the commit lacks is reported by what needs it.
        inside = os.listdir(f"{directory}/{place}") if os.path.isdir(f"{directory}/{place}") else []
        found += [f"{place}{name}" for name in sorted(inside)
                  if any(fnmatchcase(name, pattern) for pattern in UNREAD)]  # fmt: skip
    return found


def present(directory: str, places: Sequence[str]) -> list[str]:
    """Return the lock files of a directory."""
    paths = [f"{place}{name}" for place in places for name in LOCKS]
    return [path for path in paths if os.path.isfile(f"{directory}/{path}")]


def packages(file: str, path: str, python: str) -> Iterator[Locked]:
    """Yield the packages of one lock file that come from an index.

    A package that has several versions is left out, unless their markers decide between them.
    Raises OSError, ValueError, TypeError, AttributeError, KeyError.
    """
    import tomllib

    with open(file, "rb") as stream:
        lock = tomllib.load(stream)
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for package in lock.get("package", lock.get("packages", [])):
        if "version" in package and is_of_index(package) and fits(package, python):
            by_name.setdefault(canonicalize_name(str(package["name"])), []).append(package)
    for name, versions in by_name.items():
        if len({package["version"] for package in versions}) == 1:
            yield Locked(name, str(versions[0]["version"]), hashes(versions[0]), path)


def is_of_index(package: Mapping[str, Any]) -> bool:
    """Return whether a package comes from an index, and not from Git, a URL or a directory."""
    source = package.get("source", {})
    # Poetry names an index of its own as a "legacy" source.
    of_index = not source or "registry" in source or source.get("type") == "legacy"
    own = {"vcs", "directory", "archive", "git", "path", "url"} & package.keys()
    return of_index and not own


def fits(package: Mapping[str, Any], python: str) -> bool:
    """Return whether the markers of a package allow it on this host."""
    markers = package.get("resolution-markers") or package.get("marker") or package.get("markers")
    if not markers:
        return True
    lines = list(markers.values()) if isinstance(markers, Mapping) else markers
    lines = [lines] if isinstance(lines, str) else lines
    host = {"python_version": ".".join(python.split(".")[:2]), "python_full_version": python}
    try:
        return any(Marker(str(line)).evaluate({**host, "extra": ""}) for line in lines)
    except (InvalidMarker, UndefinedEnvironmentName):
        # Such as PEP 751's `in extras`: it may be wanted.
        return True


def hashes(package: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the hashes of the files of a package, as ALGORITHM:HEX."""
    files = [*package.get("files", ()), *package.get("wheels", ())]
    files += [package["sdist"]] if "sdist" in package else []
    found = set()
    for file in files:
        if isinstance(file.get("hash"), str):
            found.add(file["hash"])
        found |= {f"{kind}:{text}" for kind, text in dict(file.get("hashes", {})).items()}
    return tuple(sorted(found))
