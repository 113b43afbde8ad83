"""What an environment is made of: pinned packages of an index or URL, and the repository's own.

Only the former are shared between releases. What comes from the repository is installed into each
release, so that nothing of a release leads into another one.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit


class Pin(NamedTuple):
    """A package from an index, or from `url`; the hashes are those of its files, ALGORITHM:HEX."""

    name: str
    version: str
    url: str = ""
    hashes: tuple[str, ...] = ()
    size: int = 0
    """Bytes to download; 0 if the index does not say."""
    locked: bool = False
    """Whether the repository itself says the hashes."""

    def requirement(self) -> str:
        """Return its line in a requirements file (pip-install(1))."""
        what = f"{self.name} @ {self.url}" if self.url else f"{self.name}=={self.version}"
        return " ".join([what, *(f"--hash={digest}" for digest in self.hashes)])


class Own(NamedTuple):
    """A package of the repository itself: a directory or an archive, as a path in the release."""

    name: str
    path: str
    editable: bool = False
    is_archive: bool = False


class Resolution(NamedTuple):
    """All packages that a release needs."""

    pins: tuple[Pin, ...]
    own: tuple[Own, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain lists."""
        return {"pins": list(map(list, self.pins)), "own": list(map(list, self.own))}


def from_json(facts: Mapping[str, Any]) -> Resolution:
    """Read what `to_json` wrote. Raises KeyError, TypeError, ValueError."""
    pins = tuple(
        Pin(str(name), str(version), str(url), tuple(map(str, hashes)), int(size), bool(locked))
        for name, version, url, hashes, size, locked in facts["pins"]
    )
    own = tuple(
        Own(str(name), str(path), bool(editable), bool(is_archive))
        for name, path, editable, is_archive in facts["own"]
    )
    return Resolution(pins, own)


def of_lock(lock: Mapping[str, Any], base: str, release: str) -> Resolution:
    """Return the packages of a pylock.toml (PEP 751) that was written to the directory `base`.

    Raises KeyError, TypeError, ValueError.
    """
    pins, own = [], []
    for package in lock["packages"]:
        name, version = str(package["name"]), str(package.get("version", ""))
        archive = package.get("archive", {})
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
        if directory := package.get("directory"):
            path = _inside(os.path.join(base, str(directory["path"])), release)
            own.append(Own(name, path, bool(directory.get("editable"))))
        elif "path" in archive:
            path = _inside(os.path.join(base, str(archive["path"])), release)
            own.append(Own(name, path, is_archive=True))
        elif archive:
            url = _with_subdirectory(str(archive["url"]), archive)
            pins.append(Pin(name, version, url, _hashes([archive]), _largest([archive])))
        elif vcs := package.get("vcs"):
            url = f"{vcs['type']}+{vcs['url']}@{vcs['commit-id']}"
            pins.append(Pin(name, version, _with_subdirectory(url, vcs)))
        elif local := _all_in(files, base, release):
            own.append(Own(name, local, is_archive=True))
        else:
            pins.append(Pin(name, version, "", _hashes(files), _largest(files)))
    return Resolution(tuple(pins), tuple(own))


def of_report(report: Mapping[str, Any], release: str) -> Resolution:
    """Return the packages of an installation report of pip. Raises KeyError, TypeError, ValueError.

    Its format: pip, "Installation Report".
    """
    pins, own = [], []
    for item in report["install"]:
        name, version = str(item["metadata"]["name"]), str(item["metadata"]["version"])
        source = item["download_info"]
        url, archive, vcs = str(source["url"]), source.get("archive_info"), source.get("vcs_info")
        place = unquote(urlsplit(url).path) if url.startswith("file:") else ""
        in_release = bool(place) and not _inside(place, release).startswith("/")
        if vcs:
            pinned = f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
            pins.append(Pin(name, version, _with_subdirectory(pinned, source)))
        elif archive is None:
            editable = bool(source.get("dir_info", {}).get("editable"))
            own.append(Own(name, _inside(place, release), editable))
        elif place and (in_release or item.get("is_direct")):
            own.append(Own(name, _inside(place, release), is_archive=True))
        else:
            hashes = tuple(f"{kind}:{text}" for kind, text in archive.get("hashes", {}).items())
            direct = _with_subdirectory(url, source) if item.get("is_direct") else ""
            pins.append(Pin(name, version, direct, hashes))
    return Resolution(tuple(pins), tuple(own))


def _inside(place: str, release: str) -> str:
    """Return a path in the release; the whole path for a place elsewhere on the host."""
    place, release = os.path.realpath(place), os.path.realpath(release)
    if place == release:
        return ""
    return place.removeprefix(f"{release}/")


def _with_subdirectory(url: str, source: Mapping[str, Any]) -> str:
    part = source.get("subdirectory")
    return f"{url}#subdirectory={part}" if part else url


def _hashes(files: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    found = {
        f"{kind}:{text}" for file in files for kind, text in dict(file.get("hashes", {})).items()
    }
    return tuple(sorted(found))


def _largest(files: Iterable[Mapping[str, Any]]) -> int:
    """Return the size of the largest file: which of them fits this host is not said."""
    return max((int(file.get("size", 0)) for file in files), default=0)


def _all_in(files: Sequence[Mapping[str, Any]], base: str, release: str) -> str:
    """Return the first file if all of them are in the release, as with `--find-links wheels`."""
    places = []
    for file in files:
        url = str(file.get("url", ""))
        if "path" in file:
            place = os.path.join(base, str(file["path"]))
        elif url.startswith("file:"):
            place = unquote(urlsplit(url).path)
        else:
            return ""
        path = _inside(place, release)
        if path.startswith("/"):
            return ""
        places.append(path)
    return places[0] if places else ""
