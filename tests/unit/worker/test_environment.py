"""The environment of a release: what its key depends on, and when something is installed."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from autoupdate.config.sections import Build
from autoupdate.model.errors import UpdateFailedError
from autoupdate.worker.environment import linked_copy
from autoupdate.worker.environment.environment import EnvironmentBuilder
from autoupdate.worker.packages import installer, pip_settings
from autoupdate.worker.packages.package import build_requirements
from autoupdate.worker.packages.requirements import included_files
from tests.environments import complete

SETTINGS = Build(
    python="/usr/bin/python3", installer="pip", requirements=("requirements.txt",), extras=(),
    extra_requirements=(), install="auto", directory="", editable=True, upgrade="needed",
    timeout=60.0,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _host_without_settings_of_installers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_settings, "FILES", ())
    monkeypatch.setattr(pip_settings, "UV_SETTINGS", "/nonexistent/uv.toml")


class Installer:
    """Runs no command, but makes the environments that commands would have made."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.version = "Python 3.11.2"
        self.fails: Callable[[Sequence[str]], bool] = lambda _: False
        self.index = {"blinker": "1.9", "itsdangerous": "2.2"}
        """The packages that the resolver finds, with their versions."""

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
        if "--dry-run" in command:
            self.resolve(command, directory)
        return 0, ""

    def resolve(self, command: Sequence[str], release: str) -> None:
        """Write pip's report: the packages of the index, and the app if it is asked for."""
        found = [
            {"metadata": {"name": name, "version": version}, "is_direct": False,
             "download_info": {"url": f"https://index/{name}", "archive_info": {}}}
            for name, version in self.index.items()
        ]  # fmt: skip
        more = Path(command[-1]).read_text() if command[-1].endswith(".in") else ""
        self.asked = more.splitlines()
        for line in self.asked:
            option, _, place = line.rpartition(" ")
            place = place.removeprefix("file://").partition("[")[0]
            if place.startswith(release):
                source = {"url": f"file://{place}", "dir_info": {"editable": bool(option)}}
                facts = {"name": "app", "version": "1"}
                found.append({"metadata": facts, "is_direct": True, "download_info": source})
        report = command[command.index("--report") + 1]
        Path(report).write_text(json.dumps({"install": found}))

    @property
    def installs(self) -> list[list[str]]:
        """The arguments of each call of pip, from `install` on."""
        return [
            words[words.index("install") :]
            for words in self.commands
            if "install" in words and "--dry-run" not in words
        ]

    @property
    def resolutions(self) -> int:
        """How often the resolver was asked."""
        return sum("--dry-run" in words for words in self.commands)


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
    release: Path,
    installer: Installer | None = None,
    settings: Build = SETTINGS,
    deployed: str = "",
) -> str:
    """Build a release's environment; return its key."""
    builder = EnvironmentBuilder(
        f"{release.parents[1]}/environments", settings, installer or Installer()
    )
    return complete(builder, str(release), deployed)


def test_same_dependencies_are_installed_once(release: Path) -> None:
    first, second = Installer(), Installer()
    key = provide(release, first)
    assert first.resolutions == 1
    (release / "app/__init__.py").write_text("VERSION = 2\n")
    assert provide(release, second) == key
    assert second.resolutions == 0
    assert [words[-3:] for words in second.installs] == [
        ["--editable", str(release), "--no-build-isolation"]
    ]


def test_finished_environment_is_open_to_services(release: Path) -> None:
    provide(release)
    assert (release / ".venv").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "manifest",
    ["requirements.txt", "more/base.txt", "more/limits.txt", "setup.py", "pyproject.toml",
     "setup.cfg", "uv.lock", "poetry.lock"],
)  # fmt: skip
def test_every_manifest_is_resolved_anew(release: Path, manifest: str) -> None:
    """The environment is another one only if other packages are found."""
    key = provide(release)
    place = release / manifest
    place.write_text((place.read_text() if place.exists() else "") + "# other\n")
    same, other = Installer(), Installer()
    assert provide(release, same, deployed=key) == key
    assert same.resolutions == 1
    assert len(same.installs) == 1, "the app alone"
    place.write_text(place.read_text() + "# again\n")
    other.index["blinker"] = "1.10"
    assert provide(release, other, deployed=key) != key


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
def test_changed_settings_are_resolved_anew(release: Path, settings: Build) -> None:
    provide(release)
    installer = Installer()
    provide(release, installer, settings)
    assert installer.resolutions == 1


def test_key_changes_with_the_interpreter_but_not_with_code(release: Path) -> None:
    newer = Installer()
    newer.version = "Python 3.13.0"
    key = provide(release)
    assert provide(release, newer) != key
    (release / "app/new.py").write_text("import app\n")
    assert provide(release) == key


def test_what_is_installed_is_preferred(release: Path) -> None:
    """pip is asked with constraints; packages of an index that still fit are not installed anew."""
    key = provide(release)
    (release / "requirements.txt").write_text("blinker\nclick\n")
    installer = Installer()
    installer.index["click"] = "8.1"
    limits: list[str] = []

    def look(words: Sequence[str]) -> bool:
        if "--constraint" in words:
            limits.append(Path(words[words.index("--constraint") + 1]).read_text())
        return False

    installer.fails = look
    make_distributions(release.parents[1] / "environments" / key, {"blinker": "1.9"})
    assert provide(release, installer, deployed=key) != key
    assert limits == ["blinker==1.9\n"]


def test_what_is_preferred_and_does_not_fit_is_left(release: Path) -> None:
    """Also where some requirements have hashes, and the others are resolved apart from them."""
    for text in ("blinker\nclick\n", "blinker==1.9 --hash=sha256:00\n"):
        (release / "requirements.txt").write_text("blinker\n")
        key = provide(release)
        make_distributions(release.parents[1] / "environments" / key, {"itsdangerous": "1.0"})
        (release / "requirements.txt").write_text(text)
        installer = Installer()

        def conflicts(words: Sequence[str]) -> bool:
            if "--constraint" not in words:
                return False
            limits = Path(words[words.index("--constraint") + 1]).read_text()
            return "itsdangerous==1.0" in limits

        installer.fails = conflicts
        provide(release, installer, deployed=key)
        assert installer.resolutions > 1


def test_upgrade_that_was_rolled_back_is_not_taken_again(release: Path) -> None:
    """Both environments are of the same requirements; that of what is deployed counts."""
    key, newer = provide(release), Installer()
    newer.index["blinker"] = "2.0"
    builder = EnvironmentBuilder(f"{release.parents[1]}/environments", SETTINGS, newer)
    prepared = builder.prepare(str(release), key, anew=True, newest=True)
    linked_copy.provide(
        f"{builder.environments}/{prepared.former}", f"{release.parents[1]}/linking",
        f"{builder.environments}/{prepared.key}", None,
    )  # fmt: skip
    builder.install(str(release), prepared)
    linked_copy.provide(
        f"{builder.environments}/{prepared.key}", f"{release.parents[1]}/linking",
        f"{release}/.venv", None,
    )  # fmt: skip
    assert builder.finish(str(release), prepared)
    assert prepared.key != key
    assert provide(release, deployed=key) == key
    assert provide(release, deployed=prepared.key) == prepared.key


def make_distributions(environment: Path, versions: dict[str, str]) -> None:
    """List packages as an environment's."""
    lines = [f"{name}=={version}\n" for name, version in versions.items()]
    (environment / "installed-versions.txt").write_text("".join(lines))


def test_dependencies_that_cannot_be_installed(release: Path) -> None:
    installer = Installer()
    installer.fails = lambda words: "--dry-run" in words
    with pytest.raises(UpdateFailedError, match="No matching distribution"):
        provide(release, installer)
    installer.fails = lambda words: "--no-deps" in words
    with pytest.raises(UpdateFailedError, match="No matching distribution"):
        provide(release, installer)
    # An incomplete environment is built again from the start.
    last = Installer()
    provide(release, last)
    assert last.resolutions == 1


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
    provide(release, installer, settings)
    assert installer.asked == [f"--editable file://{release}/api[mcp]"]
    assert f"{release}/api" in installer.installs[-1]
    (release / "api/setup.py").write_text("# other")
    again = Installer()
    provide(release, again, settings)
    assert again.resolutions == 1


def test_requirements_of_what_is_not_installed(release: Path) -> None:
    """What [project] lists is installed, also if the app is not."""
    (release / "setup.py").unlink()
    (release / "pyproject.toml").write_text(
        '[project]\ndependencies = ["click>=8"]\n'
        'optional-dependencies = {mcp = ["idna"], docs = ["sphinx"]}\n'
    )
    installer = Installer()
    provide(release, installer, SETTINGS._replace(install="none", extras=("mcp",)))
    assert installer.asked == ["click>=8", "idna"]
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
    provide(release)
    secret.write_text("other secret")
    installer = Installer()
    provide(release, installer)
    assert installer.resolutions == 0


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


def test_hashes_of_the_repository_count(release: Path) -> None:
    """They are given to the installer; packages without a hash are installed apart."""
    (release / "requirements.txt").write_text("blinker==1.9 \\\n    --hash=sha256:00\n")
    installer = Installer()
    texts: list[str] = []

    def look(words: Sequence[str]) -> bool:
        if "--requirement" in words and words[-1].endswith("wanted.txt"):
            texts.append(Path(words[-1]).read_text())
        return False

    installer.fails = look
    provide(release, installer)
    assert texts == ["blinker==1.9 --hash=sha256:00\n", "itsdangerous==2.2\n"]


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
