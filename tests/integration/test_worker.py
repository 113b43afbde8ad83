"""A worker that dies, hangs or answers nonsense: whose fault it is; and the run does not hang."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from autoupdate.host.process import find_user
from autoupdate.model.errors import Exit
from autoupdate.model.paths import AppPaths
from autoupdate.model.track import Found
from autoupdate.records.records import Records
from autoupdate.update.run import one_run
from autoupdate.worker import commands, link
from autoupdate.worker.server import Server
from tests.integration.site import Site
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, run
from tools.lib.hosts.git_server import Mode

SHELL = ("/bin/sh", "-c")


@pytest.mark.parametrize(
    ("command", "said", "code"),
    [
        (
            ("/no/such/program",),
            "the worker did not start: /no/such/program cannot be started",
            Exit.FAILED,
        ),
        ((*SHELL, "exit 1"), "its worker died", Exit.FAILED),
        ((*SHELL, "read line; kill -9 $$"), ".git ended without an answer: its", Exit.FAILED),
        ((*SHELL, "read line; head -c 3000000 /dev/zero"), "without an answer", Exit.FAILED),
        # A fetch that takes that long is a fault of the network.
        ((*SHELL, "read line; sleep 60"), "did not end within 3 s", Exit.UNREACHABLE),
        ((*SHELL, "read line; while :; do echo '[1]'; done"), "within 3 s", Exit.UNREACHABLE),
        ((*SHELL, """read line; echo '{"done": {}}'"""), "has no commit: None", Exit.FAILED),
        ((*SHELL, """read line; echo '{"failed": "x", "kind": "Exit"}'"""), "x;", Exit.FAILED),
    ],
)
def test_worker_that_misbehaves(
    deployed: Site,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    said: str,
    code: Exit,
) -> None:
    deployed.configure(upstream__timeout="3s")
    deployed.upstream.commit(version=2)
    monkeypatch.setattr(link, "COMMAND", command)
    begun = time.monotonic()
    outcome = deployed.run()
    assert outcome.exit_code == code
    assert said in outcome.reason
    assert time.monotonic() - begun < 20
    monkeypatch.undo()
    assert (deployed.version(), deployed.releases()) == (1, [deployed.current])


def test_server_that_hangs_in_the_fetch_is_not_the_commits_fault(deployed: Site) -> None:
    deployed.configure(upstream__timeout="2s")
    commit = deployed.upstream.commit(version=2)
    deployed.server.mode = Mode.HANG
    app = deployed.app()._replace(ask_upstream=lambda _: Found(commit))
    outcome = one_run(app, wait=False)
    app.records.close()
    assert outcome.exit_code == Exit.UNREACHABLE
    assert "did not end within 2 s" in outcome.reason
    records = Records(deployed.app_paths.state, read_only=True)
    assert records.quarantined() == []
    counted = records.attempts(commit)
    assert counted is not None
    assert counted.failed == 1
    records.close()


@pytest.mark.parametrize("flood", ["yes | head -n 200000", "head -c 4000000 /dev/zero"])
def test_command_with_much_output(flood: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the end of the output is kept, which says why it failed."""
    status, output = commands.command([*SHELL, f"{flood}; echo; echo why; exit 5"], "/", {})
    assert status == 5
    assert output.endswith("why")
    assert len(output) < 5_000_000
    assert output.count("\n") < 5000
    assert max(map(len, capsys.readouterr().out.splitlines())) < 200_000


RENEWAL = """
import sys
from autoupdate.upstream.git_environment import git_environment
from autoupdate.model.paths import AppPaths
from autoupdate.host.process import find_user
from autoupdate.worker.client import WorkerProcess
home = sys.argv[1]
worker = WorkerProcess(AppPaths(home, home), find_user("nobody"), git_environment(home), print)
worker.renew_mirror()
worker.close()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a worker as another user")
def test_mirror_is_replaced_for_a_user_who_cannot_write_to_its_directory() -> None:
    """In a process of its own, as this one must not inherit the orphans of other tests."""
    user = find_user("nobody")
    assert user is not None
    with tempfile.TemporaryDirectory(prefix="autoupdate-test-") as home:
        Path(home).chmod(0o755)
        library = Path(home, "library")
        shutil.copytree(Path(link.LIBRARY, "autoupdate"), library / "autoupdate")
        mirror = Path(AppPaths(home, "").mirror)
        mirror.mkdir()
        (mirror / "old").touch()
        os.chown(mirror, user.uid, user.gid)
        environment = {**CLEAN_ENVIRONMENT, "PYTHONPATH": str(library)}
        # Python reads the working directory first, and that user may not be allowed to.
        run("/usr/bin/python3", "-c", RENEWAL, home, environment=environment, cwd=Path(home))
        assert os.listdir(f"{mirror}.damaged") == ["old"]
        assert mirror.owner() == (mirror / "config").owner() == "nobody"


def test_no_commit_is_known_before_the_first_fetch(tmp_path: Path) -> None:
    paths = AppPaths(str(tmp_path), "")
    Path(paths.mirror).mkdir()
    assert Server(paths).resolve("abcdef1") == {"commit": ""}


ORPHAN = """
from autoupdate.worker.server import answer, serve
class Builds:
    def build(self):
        answer({"output": "x"})
serve(Builds())
"""


def test_worker_whose_run_is_gone_ends_without_output() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        ["/usr/bin/python3", "-c", ORPHAN], input=b'{"do": "build", "with": {}}\n',
        stdout=writing, stderr=subprocess.PIPE, cwd=link.LIBRARY, timeout=60, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_worker_that_cannot_begin_says_why(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": link.LIBRARY, "PIP_CACHE_DIR": "/proc/1/no/pip"}
    done = subprocess.run(
        [*link.COMMAND, str(tmp_path)], input=b'{"do": "fetch", "with": {}}\n',
        env=environment, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["kind"] == "HostFaultError"
    assert "/proc/1/no" in told["failed"]
    assert done.stderr == b""
