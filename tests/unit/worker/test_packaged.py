"""Which folders a package may contain, by the files that define it; in doubt, all."""

import pytest

from autoupdate.config.sections import Build
from autoupdate.worker.repository.packaged import Project

BUILD = Build(
    python="/usr/bin/python3", installer="pip", requirements=("requirements.txt",), extras=(),
    extra_requirements=(), install="auto", directory="", editable=True, upgrade="needed",
    timeout=60.0,
)  # fmt: skip
FIND = "[tool.setuptools.packages.find]\n"
HATCH = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
POETRY = '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'


@pytest.mark.parametrize(
    ("files", "contained", "loose"),
    [
        # setuptools looks by itself: it takes any directory, except some names.
        ({"setup.py": "from setuptools import setup\nsetup(name='x')\n"}, ["app"], ["docs", ".a"]),
        ({"pyproject.toml": "[project]\nname = 'x'\n"}, ["app", "src"], ["tests", "scripts"]),
        # A search takes namespaces, if it says so.
        ({"setup.py": "setup(packages=find_packages())"}, [], ["app", "notes"]),
        ({"setup.py": "setup(packages=find_namespace_packages())"}, ["app", "notes"], []),
        ({"setup.py": "setup(packages=mine())"}, ["app"], []),
        ({"setup.py": "setup(packages=['app', 'lib.inner'])"}, ["app", "lib"], ["x"]),
        ({"setup.py": "setup(packages=['app'] + more)"}, ["app", "x"], []),
        ({"setup.py": "setup(packages=find_packages(), package_dir={'': 'lib'})"}, ["lib"], ["a"]),
        ({"setup.py": "setup(packages=find_packages(), py_modules=['one'])"}, ["one"], ["two"]),
        ({"setup.py": "setup(packages=find_packages(), data_files=[('x', ['etc/a.conf'])])"},
         ["etc"], ["et", "c"]),
        ({"pyproject.toml": FIND}, ["app", "docs"], []),
        ({"pyproject.toml": FIND + "namespaces = false\n"}, [], ["app"]),
        ({"pyproject.toml": FIND + 'include = ["app*"]\n'}, ["app", "app2"], ["notes", "tests"]),
        ({"pyproject.toml": FIND + 'include = ["*.app"]\n'}, ["anything"], []),
        ({"pyproject.toml": FIND + 'exclude = ["tests*", "docs"]\n'}, ["app", "docs"], ["tests"]),
        ({"pyproject.toml": FIND + 'where = ["lib"]\nnamespaces = false\n'}, ["lib"], ["app"]),
        ({"pyproject.toml": '[tool.setuptools]\npackages = ["app", "a.b"]\n'}, ["app", "a"], ["b"]),
        ({"pyproject.toml": '[tool.setuptools]\npackages = ["app"]\n'
          '[tool.setuptools.package-data]\n"*" = ["*.json"]\n[tool.ruff]\nsrc = ["notes"]\n'},
         ["app"], ["notes"]),
        ({"setup.cfg": "[options]\npackages = find:\n[options.packages.find]\n"
          "exclude =\n  tests\n[flake8]\nfilename = notes\n"}, [], ["tests", "notes"]),
        ({"setup.cfg": "[options]\npackages =\n  app\n  lib.x\n"}, ["app", "lib"], ["x"]),
        ({"setup.cfg": "[options]\npackages = find_namespace:\n"}, ["notes"], []),
        # Other back ends take what they name.
        ({"pyproject.toml": HATCH + "[project]\nname = 'My-App'\n"}, ["my_app"], ["notes"]),
        ({"pyproject.toml": HATCH + '[tool.hatch.build.force-include]\n"lib" = "x"\n'},
         ["lib"], ["notes"]),
        ({"pyproject.toml": HATCH + '[tool.hatch.build]\nexclude = ["/notes"]\ninclude = ["/a"]\n'},
         [], ["notes"]),
        ({"pyproject.toml": POETRY + '[tool.poetry.dependencies]\npython = "*"\n'
          'x = {path = "libs/x", develop = true}\n'}, ["libs"], ["notes", "python", "x"]),
        ({"pyproject.toml": '[build-system]\nbuild-backend = "maturin"\n'}, ["notes"], []),
        ({"pyproject.toml": "[broken"}, ["notes"], []),
        # Requirements that are in the repository.
        ({"setup.py": "setup(packages=find_packages())",
          "requirements.txt": "-e ./edit\nplain/sub\nx @ file:libs/x\n-e other[extra]\nclick>=8\n"},
         ["edit", "plain", "libs", "other"], ["click", "extra"]),
        ({}, ["app"], []),
    ],
)  # fmt: skip
def test_folders(files: dict[str, str], contained: list[str], loose: list[str]) -> None:
    project = Project(files, BUILD)
    assert [folder for folder in (*contained, *loose) if project.may_contain(folder)] == contained


@pytest.mark.parametrize(
    ("files", "complete"),
    [
        ({"setup.py": "setup(packages=['app', 'lib.inner'], x=1)"}, True),
        ({"setup.py": "setup(packages=find_packages(include=['app', 'app.*']))"}, True),
        ({"setup.py": "setup(\n    packages=find_packages(\n        include=['app*'],\n    ),\n)"},
         True),
        ({"setup.py": "setup(packages=find_packages())"}, False),
        ({"setup.py": "setup(packages=find_packages(include=mine))"}, False),
        ({"setup.py": "setup(packages=find_packages(include=['a'] + more))"}, False),
        ({"setup.py": "setup(packages=['app'] + more)"}, False),
        ({"setup.py": "setup(name='x')"}, False),
        ({"pyproject.toml": FIND + 'include = ["app*"]\n'}, True),
        ({"pyproject.toml": FIND}, False),
        ({"pyproject.toml": '[tool.setuptools]\npackages = ["app"]\n'}, True),
        ({"pyproject.toml": HATCH}, False),
        ({"pyproject.toml": "[broken"}, False),
        ({}, False),
    ],
)  # fmt: skip
def test_whether_each_package_is_named(files: dict[str, str], complete: bool) -> None:
    """Then a directory with __init__.py that is not named is part of no package."""
    assert Project(files, BUILD).is_complete() is complete


def test_settings() -> None:
    files = {"setup.py": "setup(packages=find_packages())"}
    assert not Project(files, BUILD).may_contain("libs")
    assert Project(files, BUILD._replace(directory="libs/api")).may_contain("libs")
    assert Project(files, BUILD._replace(extra_requirements=("./libs/x",))).may_contain("libs")
    # Services import from the release itself.
    assert Project(files, BUILD._replace(install="none")).may_contain("libs")
