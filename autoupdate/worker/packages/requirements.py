"""What requirements files say: what they include, where to look for packages, hashes."""

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

from packaging.utils import canonicalize_name

from autoupdate.config.settings import SETTINGS
from autoupdate.model.errors import UpdateFailedError

DEFAULT_REQUIREMENTS = next(
    tuple(setting.default) for setting in SETTINGS if setting.key == "build.requirements"
)
PINNED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\s*(\[[^]]*\])?\s*===?\s*(?P<version>[^\s;,]+)")
HASHES = re.compile(r"(^|\s)--(hash[=\s]+\S+|require-hashes)")
SELECTION = re.compile(r"--(no-binary|only-binary|prefer-binary|pre)\b")
INDEX_OPTIONS = {
    "-i": "--index-url", "--index-url": "--index-url", "--extra-index-url": "--extra-index-url",
    "-f": "--find-links", "--find-links": "--find-links", "--trusted-host": "--trusted-host",
}  # fmt: skip


def with_included(release: str, wanted: Sequence[str]) -> list[str]:
    """Return the requirements files of a release, and those that they include.

    Raises UpdateFailedError if one is missing, unless it is the default one.
    """
    requirements = []
    for path in wanted:
        if os.path.isfile(f"{release}/{path}"):
            requirements.append(path)
        elif tuple(wanted) != DEFAULT_REQUIREMENTS:
            raise UpdateFailedError(
                f"the commit has no {path}", "correct build.requirements, or the repository"
            )
    pending = list(requirements)
    while pending:
        path = pending.pop()
        for included in included_files(f"{release}/{path}"):
            other = os.path.normpath(f"{os.path.dirname(path)}/{included}").lstrip("/")
            inside = not other.startswith("..") and os.path.isfile(f"{release}/{other}")
            if inside and other not in requirements:
                requirements.append(other)
                pending.append(other)
    return requirements


def existing(release: str, wanted: Sequence[str]) -> list[str]:
    """Return the requirements files that a release has, with their directory."""
    return [file for path in wanted if os.path.isfile(file := f"{release}/{path}")]


def hashes(file: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the hashes in a requirements file, by name and version (pip-install(1), --hash)."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for line in logical_lines(file):
        pinned = PINNED.match(line)
        digests = tuple(re.findall(r"\s--hash[=\s]+(\w+:[0-9a-fA-F]+)", line))
        if pinned and digests:
            found[canonicalize_name(pinned["name"]), pinned["version"]] = digests
    return found


def has_hashes(file: str) -> bool:
    """Return whether a requirements file asks for hashes."""
    return any(HASHES.search(line) for line in logical_lines(file))


def selection_options(file: str) -> list[str]:
    """Return the lines of a requirements file that say which files of a package to take."""
    return [line for line in logical_lines(file) if SELECTION.match(line)]


def logical_lines(file: str) -> list[str]:
    """Return the lines of a requirements file, without comments; continued lines are joined."""
    with open(file, encoding="utf-8", errors="replace") as stream:
        text = re.sub(r"\\\r?\n", " ", stream.read())
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line]


def included_files(path: str) -> list[str]:
    """Return the files that a requirements file includes by -r or -c."""
    with open(path, encoding="utf-8", errors="replace") as stream:
        text = stream.read()
    return re.findall(r"^\s*(?:-[rc]|--requirement|--constraint)[\s=]*(\S+)", text, re.MULTILINE)


def index_options(path: str) -> list[str]:
    """Return the options of a requirements file that say where to look for packages."""
    options = []
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            name, _, value = line.strip().replace("=", " ", 1).partition(" ")
            if name == "--no-index":
                options.append(name)
            elif name in INDEX_OPTIONS and value.strip():
                options += [INDEX_OPTIONS[name], value.strip()]
    return options


def write(file: str, lines: Iterable[str]) -> None:
    """Write a new file of the installer's. Raises OSError."""
    with suppress(FileNotFoundError):
        # Removed first: a package may have installed a link of that name.
        os.unlink(file)
    with open(file, "x", encoding="utf-8", errors="surrogateescape") as stream:
        stream.writelines(f"{line}\n" for line in lines)
