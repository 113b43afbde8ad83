"""Repositories of the usual shapes: an app, a library of the repository, and a pinned package."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


def back_end(requires: str, backend: str) -> str:
    """Return the [build-system] table of a pyproject.toml."""
    return f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "{backend}"\n'


SETUPTOOLS = back_end("setuptools>=64", "setuptools.build_meta")
ONLY = '[tool.setuptools]\npackages = ["{}"]\n'


class State(NamedTuple):
    """What a commit has: versions of the code, the pin of iniconfig, a further package."""

    app: int = 1
    library: int = 1
    pin: str = "==2.0.0"
    more: tuple[str, ...] = ()
    locked: str = ""
    """The version of iniconfig in the lock file; empty: there is no lock file."""

    @property
    def needs(self) -> list[str]:
        """The packages of an index that the app asks for."""
        return [f"iniconfig{self.pin}", *self.more]


class Shape(NamedTuple):
    """One shape: its files, and the settings that it needs."""

    files: Callable[[State], dict[str, str]]
    settings: Mapping[str, Any] = {}


def project(name: str, needs: list[str], more: str = "") -> str:
    """Return the [project] table of a pyproject.toml."""
    listed = ", ".join(f'"{need}"' for need in needs)
    return f'[project]\nname = "{name}"\nversion = "1"\ndependencies = [{listed}]\n{more}'


def library(state: State) -> dict[str, str]:
    """Return the files of the library in libs/shelf."""
    text = SETUPTOOLS + ONLY.format("shelf") + project("shelf", ["blinker"])
    return {
        "libs/shelf/pyproject.toml": text,
        "libs/shelf/shelf/__init__.py": f"V = {state.library}\n",
    }


def app(state: State, directory: str = "") -> dict[str, str]:
    """Return the code of the app."""
    return {f"{directory}shop/__init__.py": f"import shelf\nV = {state.app}\n"}


def requirements(state: State) -> dict[str, str]:
    """Requirements files alone, with a library in editable mode."""
    wanted = "\n".join(["-e ./libs/shelf", *state.needs])
    return {"requirements.txt": f"{wanted}\n", **app(state), **library(state)}


def static(state: State) -> dict[str, str]:
    """Static metadata, and a library as a copy, by a requirements file."""
    text = SETUPTOOLS + ONLY.format("shop") + project("shop", state.needs)
    return {
        "pyproject.toml": text, "requirements.txt": "./libs/shelf\n", **app(state), **library(state)
    }  # fmt: skip


def dynamic(state: State) -> dict[str, str]:
    """Dependencies in a file that pyproject.toml names."""
    text = '[project]\nname = "shop"\nversion = "1"\ndynamic = ["dependencies"]\n'
    text += (
        ONLY.format("shop") + '[tool.setuptools.dynamic]\ndependencies = {file = "deps/prod.txt"}\n'
    )
    return {
        "pyproject.toml": SETUPTOOLS + text, "deps/prod.txt": "\n".join(state.needs) + "\n",
        "requirements.txt": "-e ./libs/shelf\n", **app(state), **library(state),
    }  # fmt: skip


def setup_py(state: State) -> dict[str, str]:
    """A setup.py that reads its dependencies from a file."""
    text = (
        "from setuptools import setup\nsetup(name='shop', version='1', packages=['shop'],"
        " install_requires=open('deps/prod.txt').read().split())\n"
    )
    return {
        "setup.py": text, "deps/prod.txt": "\n".join(state.needs) + "\n",
        "requirements.txt": "./libs/shelf\n", **app(state), **library(state),
    }  # fmt: skip


def poetry(state: State) -> dict[str, str]:
    """Poetry, with a library by its path, and perhaps a lock file."""
    lines = [
        f'{need.partition("=")[0]} = "{need.partition("==")[2] or "*"}"' for need in state.more
    ]
    text = (
        back_end("poetry-core", "poetry.core.masonry.api")
        + '[tool.poetry]\nname = "shop"\nversion = "1"\ndescription = ""\nauthors = []\n'
        'packages = [{include = "shop"}]\n[tool.poetry.dependencies]\npython = "^3.9"\n'
        'shelf = {path = "libs/shelf", develop = true}\n'
        f'iniconfig = "{state.pin}"\n' + "\n".join(lines) + "\n"
    )
    lock = (
        f'[[package]]\nname = "iniconfig"\nversion = "{state.locked}"\noptional = false\n'
        'files = []\n\n[metadata]\nlock-version = "2.1"\n'
    )
    locks = {"poetry.lock": lock} if state.locked else {}
    return {"pyproject.toml": text, **locks, **app(state), **library(state)}


def hatch(state: State) -> dict[str, str]:
    """Hatchling, with a library by a URL relative to the project."""
    text = (
        back_end("hatchling", "hatchling.build")
        + "[tool.hatch.metadata]\nallow-direct-references = true\n"
        '[tool.hatch.build.targets.wheel]\npackages = ["shop"]\n'
    )
    needs = ["shelf @ {root:uri}/libs/shelf", *state.needs]
    return {"pyproject.toml": text + project("shop", needs), **app(state), **library(state)}


def flit(state: State) -> dict[str, str]:
    """Flit, for the app and for the library."""
    back_end = (
        '[build-system]\nrequires = ["flit_core>=3.4"]\nbuild-backend = "flit_core.buildapi"\n'
    )
    text = back_end + project("shop", state.needs, 'description = "A shop"\n')
    more = {
        "libs/shelf/pyproject.toml": project("shelf", ["blinker"], 'description = "S"\n') + back_end
    }
    return {
        "pyproject.toml": text, "requirements.txt": "-e ./libs/shelf\n", **app(state),
        **library(state), **more,
    }  # fmt: skip


def pdm(state: State) -> dict[str, str]:
    """PDM's back end, with a library by a URL relative to the project."""
    text = back_end("pdm-backend", "pdm.backend") + '[tool.pdm.build]\nincludes = ["shop"]\n'
    needs = ["shelf @ file:///${PROJECT_ROOT}/libs/shelf", *state.needs]
    return {"pyproject.toml": text + project("shop", needs), **app(state), **library(state)}


def workspace(state: State) -> dict[str, str]:
    """A workspace of uv, with its lock file."""
    text = SETUPTOOLS + ONLY.format("shop") + project("shop", ["shelf", *state.needs])
    text += (
        '[tool.uv.workspace]\nmembers = ["libs/*"]\n[tool.uv.sources]\nshelf = {workspace = true}\n'
    )
    lock = (
        'version = 1\nrequires-python = ">=3.11"\n\n[manifest]\nmembers = ["shelf", "shop"]\n\n'
        f'[[package]]\nname = "iniconfig"\nversion = "{state.locked}"\n'
        'source = { registry = "https://index.example/simple" }\n'
    )
    locks = {"uv.lock": lock} if state.locked else {}
    return {"pyproject.toml": text, **locks, **app(state), **library(state)}


def monorepo(state: State) -> dict[str, str]:
    """The app in a subdirectory, and the library beside it."""
    text = SETUPTOOLS + ONLY.format("shop") + project("shop", state.needs)
    return {
        "services/api/pyproject.toml": text,
        "requirements.txt": "-e ./libs/shelf\n", **app(state, "services/api/"), **library(state),
    }  # fmt: skip


SHAPES = {
    "requirements": Shape(requirements),
    "static": Shape(static),
    "dynamic": Shape(dynamic),
    "setup.py": Shape(setup_py),
    "poetry": Shape(poetry),
    "hatch": Shape(hatch),
    "flit": Shape(flit),
    "pdm": Shape(pdm),
    "workspace": Shape(workspace),
    "monorepo": Shape(monorepo, {"build__directory": "services/api"}),
}
