"""What of a work tree is installed as a package."""

from pathlib import Path

import pytest

from autoupdate.model.errors import UpdateFailedError
from autoupdate.worker.packages import package
from tests.unit.worker.test_environment import SETTINGS

TOOLS = "[tool.ruff]\nline-length = 100\n"
PROJECT = '[project]\nname = "shop"\nversion = "1"\n'
BACK_END = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
UV_APP, UV_PACKAGE = "[tool.uv]\npackage = false\n", "[tool.uv]\npackage = true\n"
NO_POETRY = '[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = "^3.11"\n'


def lay_out(top: Path, files: dict[str, str]) -> str:
    """Write the files of a release."""
    for path, text in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
    return str(top)


@pytest.mark.parametrize(
    ("files", "way"),
    [
        ({}, "none"),
        ({"setup.py": ""}, "editable"),
        ({"setup.cfg": "[metadata]\nname = shop\n"}, "none"),
        ({"pyproject.toml": ""}, "none"),
        ({"pyproject.toml": TOOLS}, "none"),
        ({"pyproject.toml": TOOLS, "setup.cfg": "[flake8]\n"}, "none"),
        ({"pyproject.toml": TOOLS, "setup.cfg": "[metadata]\nname = shop\n"}, "editable"),
        ({"pyproject.toml": TOOLS, "setup.py": ""}, "editable"),
        ({"pyproject.toml": PROJECT}, "editable"),
        ({"pyproject.toml": BACK_END}, "editable"),
        ({"pyproject.toml": PROJECT + BACK_END, "uv.lock": ""}, "editable"),
        ({"pyproject.toml": PROJECT, "uv.lock": ""}, "none"),
        ({"pyproject.toml": PROJECT + UV_PACKAGE, "uv.lock": ""}, "editable"),
        ({"pyproject.toml": PROJECT + BACK_END + UV_APP}, "none"),
        ({"pyproject.toml": UV_APP, "setup.py": ""}, "none"),
        ({"pyproject.toml": NO_POETRY}, "none"),
        ({"pyproject.toml": BACK_END + NO_POETRY}, "none"),
        ({"pyproject.toml": "[tool\n"}, "editable"),
        ({"pyproject.toml": "tool = 3\n"}, "none"),
        ({"pyproject.toml": "project = 3\ntool.uv = 7\n"}, "none"),
    ],
)
def test_what_is_a_package(tmp_path: Path, files: dict[str, str], way: str) -> None:
    release = lay_out(tmp_path, files)
    assert package.find(release, SETTINGS) == (release, way)
    as_wheel = SETTINGS._replace(editable=False)
    assert package.find(release, as_wheel).way == way.replace("editable", "wheel")
    for wanted in ("editable", "wheel"):
        settings = SETTINGS._replace(install=wanted)
        if {"setup.py", "pyproject.toml"} & set(files):
            assert package.find(release, settings).way == wanted
        else:
            with pytest.raises(UpdateFailedError, match="has no package: there is no"):
                package.find(release, settings)
    assert package.find(release, SETTINGS._replace(install="none")).way == "none"


def test_directory(tmp_path: Path) -> None:
    release = lay_out(tmp_path, {"pyproject.toml": TOOLS, "services/api/setup.py": ""})
    settings = SETTINGS._replace(directory="services/api")
    assert package.find(release, settings) == (f"{release}/services/api", "editable")


@pytest.mark.parametrize("install", ["auto", "editable", "wheel", "none"])
@pytest.mark.parametrize("directory", ["missing", "services", "link", "link/inner"])
def test_directory_without_a_package(tmp_path: Path, directory: str, install: str) -> None:
    """A link could lead out of the release, and `plan` does not follow it."""
    outside = tmp_path / "outside/inner"
    lay_out(outside, {"setup.py": "", "../setup.py": ""})
    release = lay_out(tmp_path / "release", {"setup.py": "", "services/README": ""})
    (tmp_path / "release/link").symlink_to(tmp_path / "outside")
    with pytest.raises(UpdateFailedError, match=r"no package in|is a symbolic link"):
        package.find(release, SETTINGS._replace(directory=directory, install=install))
