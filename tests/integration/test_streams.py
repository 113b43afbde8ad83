"""Standard streams that are closed, full or not read: at most one line and an exit code."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from autoupdate.cli.main import main
from autoupdate.model.paths import Paths
sys.exit(main(sys.argv[2:], Paths(sys.argv[1])))
"""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Return the root of a host with an app whose upstream cannot be reached."""
    file = tmp_path / "etc/autoupdate/apps/demo.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f'path = "{tmp_path}/app"\n[upstream]\nurl = "file:///nowhere"\n')
    return tmp_path


def autoupdatectl(host: Path, words: str) -> subprocess.CompletedProcess[str]:
    """Run a command line of a shell, redirections included."""
    line = f'exec "$0" -c "$1" "$2" {words}'
    return subprocess.run(
        ["bash", "-c", line, sys.executable, PROGRAM, str(host)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("closed", [">&-", "<&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("verb", ["config show", "status", "history --json"])
def test_closed_streams(host: Path, verb: str, closed: str) -> None:
    done = autoupdatectl(host, f"{verb} {closed}")
    assert (done.returncode, done.stderr) == (0, "")


def test_closed_standard_error_does_not_prevent_a_run(host: Path) -> None:
    done = autoupdatectl(host, "run --json 2>&-")
    assert done.returncode == 69, done
    assert '"result": "unreachable"' in done.stdout


@pytest.mark.parametrize("words", ["config show", "config show --json", "--help", "status"])
def test_full_standard_output(host: Path, words: str) -> None:
    done = autoupdatectl(host, f"{words} >/dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "autoupdatectl: cannot write to standard output: No space left on device"
    ]


def test_reader_that_left_is_not_reported(host: Path) -> None:
    done = autoupdatectl(host, "config show > >(exec true)")
    assert done.stderr == ""
    assert "Traceback" not in done.stdout


def test_adopt_in_a_working_directory_that_is_gone(host: Path) -> None:
    gone = host / "gone"
    gone.mkdir()
    line = 'cd "$2" && rmdir "$2" && PYTHONPATH="$4" exec "$0" -c "$1" "$3" adopt --look .'
    done = subprocess.run(
        ["bash", "-c", line, sys.executable, PROGRAM, str(gone), str(host), str(ROOT)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "autoupdatectl: .: the working directory was removed"
