"""The fast path with a real Git server: one question for one ref; otherwise a usual run."""

import sys
import time
from pathlib import Path

import pytest

from autoupdate.service_start import fast_path
from autoupdate.upstream import ls_refs
from autoupdate.upstream.git_environment import git_environment
from tests.integration.site import APP, Site
from tools.lib.hosts.commands import run
from tools.lib.hosts.git_server import Mode

MAIN = "refs/heads/main"
NO_ANSWER = (
    Mode.NOT_FOUND, Mode.UNAUTHORIZED, Mode.SERVER_ERROR, Mode.GARBAGE, Mode.GARBAGE_LINE,
    Mode.RESET,
)  # fmt: skip
# Takes the fast path as bin/autoupdatectl does; prints the modules that it loaded.
PROGRAM = """
import sys
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
from autoupdate.model.paths import Paths
from autoupdate.cli.entry import main
from autoupdate.service_start.fast_path import pass_gate
if sys.argv[3] == "gate":
    assert pass_gate(["demo"], Paths(sys.argv[2])) == 0
else:
    assert main(["run", "demo"], Paths(sys.argv[2])) == 0
print(*sorted(set(sys.modules) - before))
"""
LOADED = {
    "autoupdate", "autoupdate.cli", "autoupdate.cli.entry", "autoupdate.host",
    "autoupdate.host.log_sinks", "autoupdate.model", "autoupdate.model.paths",
    "autoupdate.service_start", "autoupdate.service_start.fast_path",
    "autoupdate.service_start.fast_path_facts", "autoupdate.upstream",
    "autoupdate.upstream.ls_refs", "fcntl", "select", "systemd", "systemd._journal",
}  # fmt: skip


def ask(url: str, timeout: float = 20) -> str:
    """Ask for the main branch."""
    environment = git_environment("/nonexistent")
    return ls_refs.ask(url, MAIN, environment=environment, user=None, timeout=timeout)


def test_answers(deployed: Site) -> None:
    commit = deployed.upstream.head()
    assert ask(deployed.upstream.url) == commit
    assert ask(f"file://{deployed.upstream.bare}") == commit
    assert ls_refs.ask(
        deployed.upstream.url, "refs/heads/mai", environment=git_environment("/nonexistent"),
        user=None, timeout=20,
    ) == ""  # fmt: skip


@pytest.mark.parametrize("mode", NO_ANSWER)
def test_server_without_a_clear_answer(deployed: Site, mode: Mode) -> None:
    deployed.server.mode = mode
    assert ask(deployed.upstream.url) == ""


def test_server_that_hangs(deployed: Site) -> None:
    deployed.server.mode = Mode.HANG
    begun = time.monotonic()
    assert ask(deployed.upstream.url, timeout=1) == ""
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("way", ["run", "gate"])
def test_nothing_new(deployed: Site, way: str) -> None:
    # Settings with a time of just now may have changed after they were read.
    time.sleep(1.1)
    deployed.run()
    Path(deployed.app_paths.fresh).unlink()
    deployed.server.forget()
    library = Path(fast_path.__file__).parents[2]
    # As the unit of a service sets it.
    done = run(sys.executable, "-I", "-c", PROGRAM, library, deployed.root, way, cwd=deployed.path)
    commands = [request.command for request in deployed.server.requests]
    assert commands == ["", "ls-refs"], commands
    assert set(done.stdout.splitlines()[-1].split()) <= LOADED
    assert ("already up to date" in done.stdout) is (way == "run")
    assert Path(deployed.app_paths.fresh).exists()


def test_new_commit_needs_a_full_run(deployed: Site) -> None:
    time.sleep(1.1)
    deployed.run()
    commit = deployed.upstream.commit(version=2)
    assert fast_path.find_nothing_new(deployed.paths, APP) == ""
    assert deployed.updates_to(commit)


def test_answer_is_kept_for_one_question() -> None:
    """The full run does not repeat the question of the fast path, even without an answer."""
    for commit in ("1" * 40, ""):
        ls_refs.remember("http://127.0.0.1/", MAIN, commit)
        assert ls_refs.recall("http://127.0.0.1/", MAIN) == commit
        assert ls_refs.recall("http://127.0.0.1/", MAIN) is None
