"""With a real build back end: a change of code needs no install, any other change does."""

from collections.abc import Sequence
from pathlib import Path

from autoupdate.config.sections import Build
from autoupdate.worker.commands import command
from autoupdate.worker.environment.environment import EnvironmentBuilder
from autoupdate.worker.packages.installer import cache_environment
from tests.environments import complete
from tools.lib.hosts.commands import run

SETTINGS = Build(
    python="/usr/bin/python3", installer="pip", requirements=(), extras=(),
    extra_requirements=(), install="auto", directory="", editable=True, upgrade="needed",
    timeout=60.0,
)  # fmt: skip
SETUP = "from setuptools import find_packages, setup\nsetup(name='app', packages=find_packages())\n"
LOOK = "import app, importlib.metadata as facts; print(app.__file__, app.V, facts.version('app'))"


def test_install_is_copied_while_its_inputs_are_the_same(tmp_path: Path) -> None:
    installs: list[str] = []

    def counted(words: Sequence[str], directory: str, additions: dict[str, str]) -> tuple[int, str]:
        if "install" in words:
            installs.append(words[-1])
        done = command(words, directory, {**cache_environment(f"{tmp_path}/cache"), **additions})
        assert done[0] == 0, done
        return done

    def build(name: str, version: int, more: str = "") -> int:
        release = tmp_path / "releases" / name
        (release / "app").mkdir(parents=True)
        (release / "setup.py").write_text(SETUP)
        (release / "app/__init__.py").write_text(f"V = {version}\n")
        if more:
            (release / more).parent.mkdir(exist_ok=True)
            (release / more).write_text("")
        installs.clear()
        complete(EnvironmentBuilder(f"{tmp_path}/environments", SETTINGS, counted), str(release))
        python = release / ".venv/bin/python"
        told = run(python, "-I", "-c", LOOK).stdout.split()
        assert told == [f"{release}/app/__init__.py", str(version), "0.0.0"]
        assert run(python, "-m", "pip", "check", check=False).ok
        assert not (release / ".venv/tracer").exists()
        return len(installs)

    assert build("first", 1) > 1
    assert build("second", 2) == 0
    assert build("third", 3, more="another/__init__.py") == 1
    assert build("fourth", 4) == 1, "a package is gone"
