"""The environment of a release: what its key depends on, and when something is installed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from autoupdate.config.settings import Build
from autoupdate.model.errors import UpdateFailedError
from autoupdate.worker.environment import installer
from autoupdate.worker.environment.environment import EnvironmentBuilder
from autoupdate.worker.environment.package import build_requirements
from autoupdate.worker.environment.requirements import included_files
from tests.environments import complete

SETTINGS = Build(
    python="/usr/bin/python3", installer="pip", requirements=("requirements.txt",), extras=(),
    extra_requirements=(), install="auto", directory="", editable=True, upgrade="needed", timeout=60.0,
)  # fmt: skip


class Installer:
    """Runs no command, but makes the environments that commands would have made."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.version = "Python 3.11.2"
        self.fails: Callable[[Sequence[str]], bool] = lambda _: False

    def __call__(
        self, command: Sequence[str], directory: str, additions: dict[str, str]
    ) -> tuple[int, str]:
        """Record one command of a build."""
        self.commands.append(list(command))
        if self.fails(command):
            return 1, "ERROR: No matching distribution found for x"
        if "-VV" in command:
            return 0, self.version
        if "venv" in command:
            make_environment(command[-1])
        return 0, ""

    @property
    def installs(self) -> list[list[str]]:
        """The arguments of each call of pip, from `install` on."""
        return [words[words.index("install") :] for words in self.commands if "install" in words]


def make_environment(directory: str) -> None:
    """Make what looks like a virtual environment."""
    binaries = Path(directory, "bin")
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to("/usr/bin/python3")
    (binaries / "pip").write_text(f"#!{directory}/bin/python\nprint('pip')\n")
    (binaries / "pip").chmod(0o755)
    Path(directory, "pyvenv.cfg").write_text(f"command = python -m venv {directory}\n")
    package = Path(directory, "lib/package")
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("VALUE = 1\n")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Return the work tree of a release."""
    directory = tmp_path / "releases/r1"
    (directory / "app").mkdir(parents=True)
    (directory / "app/__init__.py").write_text("")
    (directory / "requirements.txt").write_text("-r more/base.txt\nblinker\n")
    (directory / "more").mkdir()
    (directory / "more/base.txt").write_text("-c limits.txt\nitsdangerous\n")
    (directory / "more/limits.txt").write_text("itsdangerous<3\n")
    (directory / "setup.py").write_text("from setuptools import setup; setup()\n")
    return directory


def provide(
    release: Path, installer: Installer | None = None, settings: Build = SETTINGS
) -> tuple[str, bool]:
    """Build a release's environment; return the key, and whether it existed already."""
    environments = f"{release.parents[1]}/environments"
    builder = EnvironmentBuilder(environments, settings, installer or Installer())
    planned = builder.plan(str(release))
    complete(builder, str(release))
    return planned.key, planned.reused


def test_same_dependencies_are_installed_once(release: Path) -> None:
    first, second = Installer(), Installer()
    key, reused = provide(release, first)
    assert not reused
    assert ["--requirement", f"{release}/requirements.txt"] == first.installs[2][1:][-4:-2]
    (release / "app/__init__.py").write_text("VERSION = 2\n")
    assert provide(release, second) == (key, True)
    assert [words[-3:] for words in second.installs] == [
        ["--editable", str(release), "--no-build-isolation"]
    ]


def test_finished_environment_is_open_to_services(release: Path) -> None:
    provide(release)
    assert (release / ".venv").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "manifest", ["requirements.txt", "more/base.txt", "more/limits.txt", "setup.py"]
)
def test_key_changes_with_every_manifest(release: Path, manifest: str) -> None:
    key, _ = provide(release)
    (release / manifest).write_text((release / manifest).read_text() + "# other\n")
    assert provide(release)[0] != key


@pytest.mark.parametrize("manifest", ["pyproject.toml", "setup.cfg"])
def test_key_changes_with_a_new_manifest(release: Path, manifest: str) -> None:
    key, _ = provide(release)
    (release / manifest).touch()
    assert provide(release)[0] != key


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS._replace(extras=("mcp",)),
        SETTINGS._replace(extra_requirements=("hypercorn[trio]",)),
        SETTINGS._replace(editable=False),
        SETTINGS._replace(install="wheel"),
        SETTINGS._replace(install="none"),
        SETTINGS._replace(requirements=("more/base.txt",)),
    ],
)
def test_key_changes_with_the_settings(release: Path, settings: Build) -> None:
    assert provide(release, settings=settings)[0] != provide(release)[0]


def test_key_changes_with_the_interpreter_but_not_with_code(release: Path) -> None:
    newer = Installer()
    newer.version = "Python 3.13.0"
    key, _ = provide(release)
    assert provide(release, newer)[0] != key
    (release / "app/new.py").write_text("import app\n")
    assert provide(release)[0] == key


def test_dependencies_that_cannot_be_installed(release: Path) -> None:
    installer = Installer()
    installer.fails = lambda words: "--requirement" in words
    with pytest.raises(UpdateFailedError, match="No matching distribution"):
        provide(release, installer)
    # An incomplete environment is built again from the start.
    assert provide(release)[1] is False


def test_back_end_that_asks_for_more_gets_its_isolation(release: Path) -> None:
    installer = Installer()
    installer.fails = lambda words: "--no-build-isolation" in words
    provide(release, installer)
    assert installer.installs[-1][-3:] == ["--no-deps", "--editable", str(release)]


def test_requirements_file_that_is_missing(release: Path) -> None:
    (release / "requirements.txt").unlink()
    provide(release)
    with pytest.raises(UpdateFailedError, match=r"no other\.txt"):
        provide(release, settings=SETTINGS._replace(requirements=("other.txt",)))


def test_app_that_is_not_a_package(release: Path) -> None:
    (release / "setup.py").unlink()
    installer = Installer()
    provide(release, installer)
    assert not [words for words in installer.installs if "--editable" in words]


def test_package_in_a_subdirectory(release: Path) -> None:
    """Requirements are still those of the top."""
    (release / "api").mkdir()
    (release / "api/setup.py").write_text("")
    installer, settings = Installer(), SETTINGS._replace(directory="api", extras=("mcp",))
    key, _ = provide(release, installer, settings)
    assert ["--requirement", f"{release}/requirements.txt"] == installer.installs[2][1:][-4:-2]
    assert installer.installs[2][-2:] == ["--editable", f"{release}/api[mcp]"]
    assert f"{release}/api" in installer.installs[-1]
    (release / "api/setup.py").write_text("# other")
    assert provide(release, settings=settings)[0] != key


def test_requirements_of_what_is_not_installed(release: Path) -> None:
    """What [project] lists is installed, also if the app is not."""
    (release / "setup.py").unlink()
    (release / "pyproject.toml").write_text(
        '[project]\ndependencies = ["click>=8"]\n'
        'optional-dependencies = {mcp = ["idna"], docs = ["sphinx"]}\n'
    )
    installer = Installer()
    provide(release, installer, SETTINGS._replace(install="none", extras=("mcp",)))
    (words,) = [words for words in installer.installs if "--requirement" in words]
    assert words[-3:] == [f"{release}/requirements.txt", "click>=8", "idna"]
    assert not [words for words in installer.installs if str(release) in words]


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("-r a.txt\n--requirement=b.txt\n  -c c.txt\n--constraint d.txt\n", ["a.txt", "b.txt",
                                                                        "c.txt", "d.txt"]),
        ("-ra.txt\n", ["a.txt"]),
        ("# -r a.txt\nname-r\nflask -r x\n", []),
        ("\udcff", []),
    ],
)  # fmt: skip
def test_included_files(tmp_path: Path, text: str, files: list[str]) -> None:
    (tmp_path / "requirements.txt").write_bytes(text.encode(errors="surrogateescape"))
    assert included_files(f"{tmp_path}/requirements.txt") == files


@pytest.mark.parametrize("included", ["../../secret.txt", "more/../../../secret.txt"])
def test_included_file_outside_the_release_is_not_read(release: Path, included: str) -> None:
    secret = release.parents[1] / "secret.txt"
    secret.write_text("secret")
    (release / "requirements.txt").write_text(f"-r {included}\n-r /etc/secret\n-r missing\n")
    key, _ = provide(release)
    secret.write_text("other secret")
    assert provide(release)[0] == key


def test_requirements_that_include_each_other(release: Path) -> None:
    (release / "more/base.txt").write_text("-r ../requirements.txt\n")
    provide(release)


@pytest.mark.parametrize(
    ("text", "requires"),
    [
        (None, ["setuptools"]),
        ("", ["setuptools"]),
        ('[build-system]\nrequires = ["hatchling>=1"]', ["hatchling>=1"]),
        ("[build-system]\nrequires = []", ["setuptools"]),
        ("[build-system]\nrequires = 1", ["setuptools"]),
        ('[build-system]\nrequires = "wheel"', ["setuptools"]),
        ("build-system = 1", ["setuptools"]),
        ("not toml", ["setuptools"]),
    ],
)
def test_build_requirements(tmp_path: Path, text: str | None, requires: list[str]) -> None:
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    assert build_requirements(str(tmp_path)) == requires


def test_requirements_with_hashes_are_installed_apart(release: Path) -> None:
    """In one call of pip everything would need a hash, and the app itself cannot have one."""
    (release / "requirements.txt").write_text("blinker==1.9 \\\n    --hash=sha256:00\n")
    installer = Installer()
    settings = SETTINGS._replace(extra_requirements=("uvicorn[standard]",))
    provide(release, installer, settings)
    ends = [words[-2:] for words in installer.installs]
    assert ["--requirement", f"{release}/requirements.txt"] in ends
    assert [words for words in installer.installs if "uvicorn[standard]" in words] == [
        words for words in installer.installs if words[-3:-1] == ["uvicorn[standard]", "--editable"]
    ]


@pytest.mark.parametrize(
    ("interpreter", "added"),
    [
        ("/usr/bin/python3.11 Python 3.11.2 (main)", ["pip", "setuptools"]),
        ("/opt/python3.9 Python 3.9.18", ["pip", "setuptools"]),
        ("/usr/bin/python3.13 Python 3.13.5 (main)", ["pip"]),
    ],
)
def test_environment_has_what_venv_would_have_installed(interpreter: str, added: list[str]) -> None:
    words = installer.Installer("uv", "/usr/bin/uv").complete("/e", interpreter)
    assert words[words.index("/e/bin/python") + 1 :] == added
    assert installer.Installer("pip", "").complete("/e", interpreter) == []
