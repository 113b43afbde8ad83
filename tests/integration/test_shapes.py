"""Repositories of other shapes than that of one package at the top, with the real installers."""

import json
import os
from collections.abc import Mapping

import pytest

from autoupdate.model.steps import Result
from tests.integration.site import Site
from tools.lib.hosts.commands import run

TOOLS = "[tool.ruff]\nline-length = 100\n"
SEVERAL = {"shop/__init__.py": "", "blog/__init__.py": "", "static/site.css": ""}
BACK_END = (
    '[build-system]\nrequires = ["setuptools>=64"]\nbuild-backend = "setuptools.build_meta"\n'
)
PROJECT = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["click>=8"]\n'
POETRY_BACK_END = (
    '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
)
POETRY = (
    '[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = "^3.9"\n'
    'click = "^8.1"\nidna = {version = "~3.4", optional = true}\n'
    'colorama = {version = "*", markers = "sys_platform == \'win32\'"}\n'
    '[tool.poetry.extras]\nnames = ["idna"]\n'
    '[tool.poetry.group.dev.dependencies]\niniconfig = "*"\n'
)
SETUP_CFG = "[flake8]\nmax-line-length = 100\n"
LISTED = (
    "import importlib.metadata as m, json;"
    " print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
)
API = {
    "services/api/pyproject.toml": PROJECT + BACK_END + "[project.scripts]\nshop = 'shop:main'\n",
    "services/api/shop/__init__.py": "V = 1\ndef main(): pass\n",
}
both_installers = pytest.mark.parametrize("installer", ["pip", "uv"])


def installed(site: Site) -> dict[str, str]:
    """Return the packages of the current release, with their versions."""
    return dict(json.loads(said(site, LISTED)))


def said(site: Site, program: str) -> str:
    """Return what a program prints in the current release, started elsewhere."""
    return run(
        site.path / ".venv/bin/python3", "-I", "-c", program, cwd=site.directory
    ).stdout.strip()


def deploy(site: Site, files: Mapping[str, str | None], version: int = 2) -> None:
    """Deploy a commit with these files in the place of the demo's own package."""
    changes = {"setup.py": None, "pyproject.toml": None, **files}
    commit = site.upstream.commit(version, requirements=("blinker",), files=changes)
    assert site.updates_to(commit), "\n".join(event.message for event in site.log.events[-12:])


@both_installers
@pytest.mark.parametrize(
    ("files", "more"),
    [
        ({"pyproject.toml": TOOLS}, set()),
        ({"pyproject.toml": TOOLS, "setup.cfg": SETUP_CFG}, set()),
        ({"pyproject.toml": PROJECT + "[tool.uv]\npackage = false\n"}, {"click"}),
        ({"pyproject.toml": PROJECT, "uv.lock": "version = 1\n"}, {"click"}),
        ({"pyproject.toml": PROJECT + POETRY_BACK_END + "[tool.poetry]\npackage-mode = false\n"},
         {"click"}),
        ({"pyproject.toml": POETRY}, {"click", "idna"}),
        ({"pyproject.toml": POETRY_BACK_END + POETRY}, {"click", "idna"}),
    ],
)  # fmt: skip
def test_no_package(
    deployed: Site, installer: str, files: dict[str, str | None], more: set[str]
) -> None:
    """The app is not installed; requirements are, and those that pyproject.toml lists."""
    deployed.configure(build__installer=installer, build__extras=["names"])
    deploy(deployed, {**SEVERAL, **files})
    assert installed(deployed).keys() - {"pip", "setuptools"} == {"blinker"} | more
    environments = len(deployed.output)
    deploy(deployed, {**SEVERAL, **files, "shop/new.py": ""}, version=3)
    assert not [line for line in deployed.output[environments:] if "click" in line], "code only"


@both_installers
def test_package_that_is_not_to_be_installed(deployed: Site, installer: str) -> None:
    """Not even what setuptools refuses fails the build then."""
    files = {**SEVERAL, "pyproject.toml": PROJECT + BACK_END}
    deployed.configure(build__installer=installer)
    deployed.upstream.commit(2, files={"setup.py": None, **files})
    assert deployed.run().result is Result.FAILED
    deployed.configure(build__installer=installer, build__install="none")
    deploy(deployed, files, version=3)
    assert installed(deployed).keys() - {"pip", "setuptools"} == {"blinker", "click"}


@both_installers
@pytest.mark.parametrize("install", ["auto", "wheel"])
def test_package_in_a_subdirectory(deployed: Site, installer: str, install: str) -> None:
    deployed.configure(
        build__installer=installer, build__install=install, build__directory="services/api"
    )
    look = "import shop; print(shop.V, shop.__file__)"
    for version in (1, 2, 3):
        text = f"V = {version}\ndef main(): pass\n"
        files = {**SEVERAL, **API, "services/api/shop/__init__.py": text}
        deploy(deployed, {**files, "pyproject.toml": TOOLS}, version + 1)
        number, file = said(deployed, look).split()
        assert int(number) == version
        place = deployed.release / (".venv/lib" if install == "wheel" else "services/api")
        assert os.path.realpath(file).startswith(f"{place}/"), "from this release, and no other"
        assert (deployed.path / ".venv/bin/shop").exists()
        assert installed(deployed).keys() >= {"blinker", "click", "shop"}


def test_broken_script_of_a_package_in_a_subdirectory(deployed: Site) -> None:
    deployed.configure(build__directory="services/api")
    deploy(deployed, API)
    files = {**API, "services/api/shop/__init__.py": "import nothing_of_that_name\n"}
    deployed.upstream.commit(3, files={"setup.py": None, "pyproject.toml": None, **files})
    outcome = deployed.run()
    assert outcome.result is Result.FAILED
    assert "console script shop cannot be imported" in outcome.reason


def test_directory_that_the_commit_lacks(deployed: Site) -> None:
    deployed.configure(build__directory="services/api")
    deployed.upstream.commit(2)
    outcome = deployed.run()
    assert outcome.result is Result.FAILED
    assert "has no package in services/api" in outcome.reason
