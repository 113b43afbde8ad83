"""Style and types of everything that is written here, as the checkers see it."""

import os
import re
import shutil
import sys
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from tools.lib.hosts.commands import run

ROOT = Path(__file__).parents[2]
PYTHON = ["autoupdate", "docs", "tests", "tools", "setup.py"]
MAINTAINER_SCRIPTS = ("preinst", "postinst", "prerm", "postrm", "config")
# tools/test has the checkers on its path; a developer may have them beside the interpreter.
PLACES = (os.environ.get("PATH", ""), str(Path(sys.executable).parent))


def tool(name: str) -> str:
    """Return the path of a checker; without it skip, but fail where all of them belong."""
    found = shutil.which(name, path=os.pathsep.join(PLACES))
    if found:
        return found
    reason = f"{name} is not installed on this machine"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def scripts(interpreter: str) -> list[str]:
    """Return our programs without a suffix that begin with a line for some interpreter."""
    found = []
    for directory in ("bin", "tools", "units", "debian", "debian/tests", ".ci"):
        for path in sorted((ROOT / directory).glob("*")):
            if path.is_file() and not path.suffix:
                with path.open("rb") as stream:
                    first = stream.readline()
                if first.startswith(b"#!") and interpreter.encode() in first:
                    found.append(str(path.relative_to(ROOT)))
    return found


def check(*command: str) -> None:
    """Run a checker; its complaints are the reason of the failure."""
    done = run(*command, cwd=ROOT, check=False, timeout=300)
    assert done.ok, f"{' '.join(command[:3])}\n{done.stdout}\n{done.stderr}"


def test_ruff() -> None:
    check(tool("ruff"), "check", "--no-cache", *PYTHON, *scripts("python"))


def test_format() -> None:
    check(tool("ruff"), "format", "--no-cache", "--check", *PYTHON, *scripts("python"))


def test_types() -> None:
    # The demo application is what upstream wrote, not we.
    check(tool("mypy"), "--strict", "--exclude=^tools/lib/app/", *PYTHON)


@pytest.mark.parametrize("program", [*scripts("python")])
def test_types_of_program(program: str) -> None:
    """One by one: mypy takes each program without a suffix for a module of the same name."""
    check(tool("mypy"), "--strict", "--scripts-are-modules", program)


def test_shell() -> None:
    programs = scripts("sh")
    maintainer = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "debian").glob("*"))
        if path.name.rpartition(".")[2] in MAINTAINER_SCRIPTS
    ]
    assert "units/pre-start" in programs
    check(tool("shellcheck"), "--external-sources", *sorted({*programs, *maintainer}))


def test_units() -> None:
    """What no checker knows: every unit opens with why it exists."""
    units = [path for path in (ROOT / "units").rglob("*") if path.suffix in (".service", ".timer")]
    assert len(units) >= 4
    for unit in units:
        assert unit.read_text().startswith("# "), f"{unit.name} does not say why it exists"


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the manual pages."""
    directory = tmp_path_factory.mktemp("manual")
    check(sys.executable, "-B", "-m", "docs.man.generate", str(directory))
    return directory


@pytest.mark.parametrize("page", ["autoupdatectl.8", "autoupdate.toml.5", "autoupdate.timer.8"])
def test_manual_page(manual: Path, page: str) -> None:
    """As mandoc, groff and the index of man-db read it."""
    file = manual / page
    said = run(tool("mandoc"), "-Tlint", file, check=False)
    # Which other pages there are depends on the machine; what has no place and line is about them.
    complaints = [line for line in (said.stdout + said.stderr).splitlines()
                  if f"{page}:" in line and "referenced manual not found" not in line]  # fmt: skip
    assert not complaints
    as_troff = ("--warnings", "--ditroff", "--troff-device=utf8", "--local-file")
    formatted = run(tool("man"), *as_troff, file)
    assert formatted.stderr == ""
    assert run(tool("lexgrog"), file).stdout.startswith(f'{file}: "{file.stem} - ')


def test_the_changelog_is_older_than_any_build() -> None:
    """Files older than its date would keep their own times, and no two builds be the same."""
    last = re.findall(r"^ -- .*>  (.*)$", (ROOT / "debian/changelog").read_text(), re.MULTILINE)[0]
    assert parsedate_to_datetime(last) < datetime.now(UTC)
