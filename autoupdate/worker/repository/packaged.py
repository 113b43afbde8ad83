"""Which top-level directories of a commit may be part of a package that is installed.

Runs in the worker, as the builds' user. Decided by the commit's files, as nothing of upstream may
run for it. In doubt, a directory is part of one.
"""

import configparser
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from autoupdate.config.sections import Build
from autoupdate.worker.packages import package
from autoupdate.worker.repository.forecast import export, kind_and_size

SETUPTOOLS = "setuptools"
# These take only what their tables name, the package of the project's name, or directories with
# __init__.py. Others may take anything.
BY_NAME = ("hatchling", "poetry.core", "flit_core", "pdm.backend", "uv_build")
# Tables of pyproject.toml that say nothing about packages.
OTHER_TOOLS = frozenset({
    "autopep8", "bandit", "black", "bumpver", "cibuildwheel", "codespell", "commitizen", "coverage",
    "docformatter", "flake8", "interrogate", "isort", "mypy", "nox", "pydocstyle", "pylint",
    "pyright", "pytest", "ruff", "semantic_release", "setuptools_scm", "towncrier", "tox", "ty",
    "vulture", "yapf",
})  # fmt: skip
# Patterns inside of packages that are named elsewhere.
INSIDE_PACKAGES = frozenset({"package-data", "license-files"})
# The argument of setup(), and those values of it that take no namespaces.
PACKAGES = re.compile(r"\bpackages\s*=(?!=)")
UNDERSTOOD = re.compile(
    r"\bpackages\s*=\s*(?:\[[\s'\"\w.,]*\]"
    r"|(?:setuptools\.)?find_packages\((?:[^()]|\([^()]*\))*\))(?=\s*[,)])"
)  # fmt: skip
# Those that name each package, or each pattern of a search.
NAMED_EACH = re.compile(
    r"\bpackages\s*=\s*(?:\[[\s'\"\w.,]*\]|(?:setuptools\.)?find_packages\("
    r"[^()]*\binclude\s*=\s*\[[\s'\"\w.,*]*\]\s*(?:,[^()]*)?\))(?=\s*[,)])"
)
# What setuptools does not take for a package when it looks by itself (FlatLayoutPackageFinder).
NOT_FOUND_BY_ITSELF = frozenset({
    "benchmark", "benchmarks", "bin", "build", "changelog", "ci", "debian", "doc", "docs",
    "documentation", "example", "examples", "exercise", "exercises", "fabfile", "htmlcov",
    "manpages", "news", "newsfragments", "python", "scripts", "site_scons", "tasks", "test",
    "tests", "tools", "unit_test", "unit_tests", "util", "utils",
})  # fmt: skip


def packaged(repository: str, commit: str, folders: list[str], build: Build) -> list[str]:
    """Return those of some top-level directories that an installed package may contain.

    Raises UpdateFailedError when git cannot read the commit.
    """
    with tempfile.TemporaryDirectory() as scratch:
        listed, others = export(repository, commit, scratch, build, ())
        texts = {
            path: content.decode(errors="replace") for path, content in {**others, **listed}.items()
        }
    project = Project(texts, build)
    return [
        folder
        for folder in folders
        if project.may_contain(folder)
        or (
            not project.is_complete()
            and kind_and_size(repository, f"{commit}:{folder}/__init__.py")[0]
        )
    ]


class Project:
    """What the files that define a package say; `texts`: these and requirements, by path."""

    def __init__(self, texts: Mapping[str, str], build: Build) -> None:
        self.build = build
        self.texts = texts
        self.setup_py = texts.get(package.SETUP_PY, "")
        self.setup_cfg = configparser.ConfigParser(interpolation=None, strict=False)
        self.is_readable = True
        self.pyproject: Mapping[str, Any] = {}
        try:
            self.pyproject = tomllib.loads(texts.get(package.PYPROJECT, ""))
            self.setup_cfg.read_string(texts.get(package.SETUP_CFG, ""))
        except (ValueError, RecursionError, configparser.Error):
            self.is_readable = False

    def may_contain(self, folder: str) -> bool:
        """Return whether the project may install something of a folder without __init__.py."""
        if not self.is_readable or folder == self.build.directory.partition("/")[0]:
            return True
        return self.names(folder) or self.may_find(folder)

    def names(self, folder: str) -> bool:
        """Return whether any file names the folder."""
        name = re.escape(folder)
        tools = package.table(self.pyproject, "tool")
        said = (word for tool in tools.keys() - OTHER_TOOLS for word in words(tools[tool]))
        project = str(package.table(self.pyproject, "project").get("name", ""))
        if folder.lower() == re.sub("[-.]", "_", project).lower():
            return True
        if any(is_named(folder, word) for word in said):
            return True
        if re.search(rf"['\"](\./)?{name}([./\\][^'\"]*)?['\"]", self.setup_py):
            return True
        if re.search(rf"(^|[\s=:,/]){name}(?![\w-])", self.options(), re.MULTILINE):
            return True
        path = rf"\./{name}(?![\w-])|(^|[\s=:,@'\"]){name}/|(-e|--editable)[= ]*{name}(?![\w-])"
        paths = re.compile(path, re.MULTILINE)
        known = (package.PYPROJECT, package.SETUP_PY, package.SETUP_CFG)
        texts = [text for file, text in self.texts.items() if file not in known]
        return any(map(paths.search, (*texts, *self.build.extra_requirements)))

    def options(self) -> str:
        """Return what setup.cfg says about packages."""
        return "\n".join(
            value
            for section in self.setup_cfg.sections()
            if section.startswith(("options", "files"))
            for key, value in self.setup_cfg.items(section)
            if "exclude" not in key
        )

    def may_find(self, folder: str) -> bool:
        """Return whether a search for packages may find the folder, as a namespace (PEP 420)."""
        if self.build.install == package.NONE or not self.is_defined():
            # Services import from the release itself, and so from any folder.
            return True
        back_end = package.table(self.pyproject, "build-system").get("build-backend", SETUPTOOLS)
        if not str(back_end).startswith(SETUPTOOLS):
            return not str(back_end).startswith(BY_NAME)
        found = package.table(self.pyproject, "tool", SETUPTOOLS).get("packages")
        if found is not None:
            return isinstance(found, Mapping) and finds(found.get("find"), folder)
        listed = self.setup_cfg.get("options", "packages", fallback="")
        if listed:
            return "find_namespace" in listed
        if "find_namespace" in self.setup_py:
            return True
        if given := PACKAGES.findall(self.setup_py):
            return len(UNDERSTOOD.findall(self.setup_py)) < len(given)
        return folder not in NOT_FOUND_BY_ITSELF and not folder.startswith((".", "_"))

    def is_complete(self) -> bool:
        """Return whether the files name each package, so that no other one is installed.

        Else any directory with __init__.py may be one.
        """
        if not self.is_readable or self.build.install == package.NONE or not self.is_defined():
            return False
        listed = package.table(self.pyproject, "tool", SETUPTOOLS).get("packages")
        if isinstance(listed, list):
            return True
        if isinstance(listed, Mapping):
            search = listed.get("find")
            return isinstance(search, Mapping) and isinstance(search.get("include"), list)
        if self.setup_cfg.has_option("options", "packages"):
            return False
        given = PACKAGES.findall(self.setup_py)
        return bool(given) and len(NAMED_EACH.findall(self.setup_py)) == len(given)

    def is_defined(self) -> bool:
        """Return whether there is a package at the top of the repository."""
        return any(self.texts.get(name) is not None for name in package.MANIFESTS)


def finds(search: Any, folder: str) -> bool:
    """Return whether a search of [tool.setuptools.packages.find] takes a folder."""
    if not isinstance(search, Mapping):
        return True
    if search.get("namespaces") is False:
        return False
    include, exclude = search.get("include", ["*"]), search.get("exclude", [])
    if not (isinstance(include, list) and isinstance(exclude, list)):
        return True
    names = (folder, f"{folder}.inner")
    if all(any(fnmatchcase(name, str(item)) for item in exclude) for name in names):
        return False
    return any(is_named(folder, str(item)) for item in include)


def is_named(folder: str, word: str) -> bool:
    """Return whether a path, a module or a pattern may mean a folder or something in it."""
    first = re.split(r"[./\\]", word.removeprefix("./"), maxsplit=1)[0]
    # A star in the middle also matches what is below other folders.
    return fnmatchcase(folder, first) or "*" in first[:-1]


def words(value: Any, key: str = "") -> Iterator[str]:
    """Yield the keys and strings of a table of pyproject.toml that may name directories."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            # Of a dependency only the path counts, as its version may be a star.
            if name != "path" and key.endswith("dependencies"):
                yield from words(inner, key) if isinstance(inner, Mapping) else ()
            elif name not in INSIDE_PACKAGES:
                yield name
                yield from words(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from words(inner, key)
    elif isinstance(value, str) and "exclude" not in key:
        yield value
