"""What requirements files say: what they include, where to look for packages, hashes."""

import os
import re
from collections.abc import Sequence

from autoupdate.config.settings import SETTINGS
from autoupdate.model.errors import UpdateFailedError

DEFAULT_REQUIREMENTS = next(
    tuple(setting.default) for setting in SETTINGS if setting.key == "build.requirements"
)
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


def has_hashes(file: str) -> bool:
    """Return whether a requirements file has hashes of packages (pip-install(1), --hash)."""
    with open(file, encoding="utf-8", errors="replace") as stream:
        return re.search(r"(^|\s)--(hash=|require-hashes)", stream.read()) is not None


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
