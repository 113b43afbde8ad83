"""What of a work tree can be installed as a package, and what it needs if it cannot.

Decided by the files that define a package alone: nothing of upstream runs for that.
"""

import configparser
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from autoupdate.config.sections import Build
from autoupdate.model.errors import UpdateFailedError

PYPROJECT, SETUP_PY, SETUP_CFG = "pyproject.toml", "setup.py", "setup.cfg"
MANIFESTS = (PYPROJECT, SETUP_PY, SETUP_CFG)
# Only whether it exists matters here: uv installs no project without a [build-system].
LOCK_OF_UV = "uv.lock"
NONE, EDITABLE, WHEEL = "none", "editable", "wheel"


class Package(NamedTuple):
    """The app as a package: its directory, and how it is installed (`none`: it is not)."""

    directory: str
    way: str

    @property
    def is_installed(self) -> bool:
        """Whether the app is installed."""
        return self.way != NONE

    @property
    def is_editable(self) -> bool:
        """Whether the app is installed in editable mode."""
        return self.way == EDITABLE


def places(build: Build) -> list[str]:
    """Return the directories, relative to the repository, whose files define the package.

    The top is one of them in any case: a workspace has settings there.
    """
    return ["", f"{build.directory}/"] if build.directory else [""]


def manifests(build: Build) -> list[str]:
    """Return the files that define the package, as paths in the repository."""
    return [f"{place}{name}" for place in places(build) for name in MANIFESTS]


def locks(build: Build) -> list[str]:
    """Return where uv's lock file may be, as paths in the repository."""
    return [f"{place}{LOCK_OF_UV}" for place in places(build)]


def find(release: str, build: Build) -> Package:
    """Return what of a release is installed, and how. Raises UpdateFailedError."""
    directory = f"{release}/{build.directory}" if build.directory else release
    wanted = preferred(build)
    if build.directory:
        check_directory(release, build)
    if build.install == NONE:
        return Package(directory, NONE)
    if build.install == "auto":
        return Package(directory, wanted if is_package(release, build) else NONE)
    if not has_definition(directory):
        raise UpdateFailedError(
            f"the commit has no package: there is no pyproject.toml or setup.py in"
            f" {build.directory or 'its top directory'}",
            'correct build.install or build.directory; build.install = "none" installs'
            " requirements only",
        )
    return Package(directory, wanted)


def preferred(build: Build) -> str:
    """Return how a package is installed by these settings."""
    if build.install == "auto":
        return EDITABLE if build.editable else WHEEL
    return build.install


def check_directory(release: str, build: Build) -> None:
    """Refuse a build.directory that has no package, or that a link could lead out of."""
    place = f"{release}/{build.directory}"
    if os.path.realpath(place) != f"{os.path.realpath(release)}/{build.directory}":
        raise UpdateFailedError(
            f"build.directory {build.directory} is a symbolic link of the repository, or below one",
            "set build.directory to the directory itself",
        )
    if not has_definition(place):
        raise UpdateFailedError(
            f"the commit has no package in {build.directory}: there is no pyproject.toml or"
            " setup.py",
            "correct build.directory, or the repository",
        )


def has_definition(directory: str) -> bool:
    """Return whether a directory has a file by which an installer knows a package."""
    return any(os.path.isfile(f"{directory}/{name}") for name in (PYPROJECT, SETUP_PY))


def is_package(release: str, build: Build) -> bool:
    """Return whether the app is meant to be installed.

    A pyproject.toml may have settings of tools alone, or say that it is no package.
    """
    directory = f"{release}/{build.directory}" if build.directory else release
    try:
        project = read_project(directory)
    except ValueError:
        # The installer says what is wrong with the file.
        return True
    if table(project, "tool", "uv").get("package") is False:
        return False
    if table(project, "tool", "poetry").get("package-mode") is False:
        return False
    if os.path.isfile(f"{directory}/{SETUP_PY}") or "build-system" in project:
        return True
    if not project:
        return False
    if has_name(f"{directory}/{SETUP_CFG}"):
        return True
    by_uv = "uv" in table(project, "tool") or any(
        os.path.isfile(f"{release}/{path}") for path in locks(build)
    )
    is_wanted = table(project, "tool", "uv").get("package") is True
    return "project" in project and (is_wanted or not by_uv)


def has_name(setup_cfg: str) -> bool:
    """Return whether a setup.cfg defines a package, and not only settings of tools."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(setup_cfg, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError):
        # setuptools says what is wrong with the file.
        return True
    return parser.has_option("metadata", "name")


def read_project(directory: str) -> dict[str, Any]:
    """Return the content of pyproject.toml, empty without one. Raises ValueError."""
    import tomllib

    try:
        with open(f"{directory}/{PYPROJECT}", "rb") as stream:
            return tomllib.load(stream)
    except (OSError, RecursionError) as error:
        if isinstance(error, FileNotFoundError):
            return {}
        raise ValueError(str(error)) from None


def table(project: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """Return a table of pyproject.toml; empty if it is missing or no table."""
    found: Any = project
    for key in keys:
        found = found.get(key, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def build_requirements(directory: str) -> list[str]:
    """Return what the app's build back end needs (PEP 518)."""
    try:
        requires = read_project(directory)["build-system"]["requires"]
    except (KeyError, TypeError, ValueError):
        return ["setuptools"]
    if not isinstance(requires, list):
        # The installer reports the error. A string must not be read as a list of letters.
        return ["setuptools"]
    return [str(requirement) for requirement in requires] or ["setuptools"]


def declared(directory: str, extras: Sequence[str]) -> list[str]:
    """Return the requirements that pyproject.toml lists (PEP 621), for an app that is no package.

    Those that a build back end would find out are not among them.
    """
    try:
        project = table(read_project(directory), "project")
    except ValueError:
        return []
    optional = table(project, "optional-dependencies")
    lists = [project.get("dependencies"), *(optional.get(extra) for extra in extras)]
    return [str(item) for found in lists if isinstance(found, list) for item in found]


def has_poetry_dependencies(directory: str) -> bool:
    """Return whether the requirements are in Poetry's own table, and not in [project]."""
    try:
        project = read_project(directory)
    except ValueError:
        return False
    listed = set(table(project, "tool", "poetry", "dependencies")) - {"python"}
    return bool(listed) and "dependencies" not in table(project, "project")
