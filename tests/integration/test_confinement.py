"""A build that attacks the host that builds it, and one that only compiles.

The tests run as one user, so only the kernel protects the host here, not permissions.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.config.sections import Rehearse
from autoupdate.model.errors import UpdateFailedError
from autoupdate.model.paths import AppPaths
from autoupdate.upstream.git_environment import git_environment
from autoupdate.worker.client import WorkerProcess
from autoupdate.worker.confinement import version
from autoupdate.worker.link import LIBRARY
from tests.integration.site import Site
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, run

# From this version on, Landlock blocks signals to processes outside.
SIGNALS = 6

pytestmark = pytest.mark.skipif(version() < SIGNALS, reason="this kernel's Landlock is too old")

# Each attempt prints what it did; the last line makes the build fail, so that this is reported.
ATTACK = """
import os, pathlib, signal, subprocess, sys
HOME = pathlib.Path({home!r})
ME = pathlib.Path(__file__).resolve().parent

def attempt(name, action):
    try:
        action()
    except OSError as error:
        print("attack:", name, error.strerror)
    else:
        print("attack:", name, "DONE")

def ancestors():
    process = os.getppid()
    while process > 1:
        stat = pathlib.Path(f"/proc/{{process}}/stat").read_text().rpartition(")")[2].split()
        command = pathlib.Path(f"/proc/{{process}}/cmdline").read_bytes()
        if b"autoupdate.worker" in command:
            yield process
        process = int(stat[1])

other = next(path for path in (HOME / "releases").iterdir() if path.name not in str(ME))
template = next((HOME / "environments").iterdir())
attempt("mirror", lambda: (HOME / "repo.git/HEAD").write_text("ref: refs/heads/evil"))
attempt("hook", lambda: (HOME / "repo.git/hooks/post-checkout").write_text("#!/bin/sh"))
attempt("release", lambda: (other / "VERSION").write_text("666"))
attempt("truncate", lambda: os.truncate(other / "VERSION", 0))
attempt("unlink", lambda: (other / "VERSION").unlink())
attempt("rename", lambda: os.rename(ME, HOME / "releases/other"))
attempt("link", lambda: os.link(other / "VERSION", ME / "stolen"))
attempt("current", lambda: os.symlink(ME, HOME / "current.new"))
attempt("environment", lambda: (template / "complete").write_text("evil"))
attempt("outside", lambda: (HOME.parents[3] / "outside").write_text("evil"))
attempt("state", lambda: (HOME / "state.db").open("r+b").write(b"evil"))
attempt("cron", lambda: pathlib.Path("/var/tmp/autoupdate-attack").write_text("evil"))
attempt("shared", lambda: (HOME / "shared/evil").write_text("evil"))
for worker in ancestors():
    attempt("kill", lambda: os.kill(worker, signal.SIGKILL))
for fork in range(2):
    if os.fork() == 0:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(1, 2)
        os.execlp("sleep", "sleep", "{sleep}")
attempt("own release", lambda: (ME / "notes").write_text("fine"))
attempt("temporary", lambda: pathlib.Path(os.environ["TMPDIR"], "x").write_text("fine"))
attempt("null", lambda: pathlib.Path("/dev/null").write_text("fine"))
sys.exit("attack over")
"""
ALWAYS = {"temporary", "null"}


@pytest.fixture
def home() -> Iterator[AppPaths]:
    """Return an app with two releases, away from /dev/shm, where every process may write."""
    with tempfile.TemporaryDirectory(prefix="autoupdate-test-", dir="/var/tmp") as directory:
        paths = AppPaths(f"{directory}/a/b/c/d", "")
        for made in (
            "repo.git/hooks",
            "releases/new",
            "releases/old",
            "environments/key",
            "shared",
        ):
            Path(paths.home, made).mkdir(parents=True)
        for file in WATCHED:
            Path(paths.home, file).write_text("untouched")
        sleep = str(200_000 + os.getpid())
        attack = ATTACK.format(home=paths.home, sleep=sleep)
        Path(paths.release("new"), "setup.py").write_text(attack)
        yield paths
        assert {Path(paths.home, file).read_text() for file in WATCHED} == {"untouched"}
        assert not [name for name in os.listdir("/proc") if name.isdecimal() and runs(name, sleep)]


WATCHED = ("repo.git/HEAD", "releases/old/VERSION", "environments/key/complete", "state.db")


def what_was_done(lines: list[str]) -> set[str]:
    """Return the names of the attempts that succeeded."""
    said = [line.removeprefix("attack: ") for line in lines if line.startswith("attack: ")]
    assert len(said) > 15, lines
    return {line.removesuffix(" DONE") for line in said if line.endswith(" DONE")}


def test_rehearsal_that_attacks(home: AppPaths) -> None:
    """It also attacks its own worker, which survives."""
    lines: list[str] = []
    environment = git_environment(home.home) | {"TMPDIR": "/tmp"}
    worker = WorkerProcess(home, None, environment, lambda line, _: lines.append(line))
    attack = ("/usr/bin/python3", "{release}/setup.py")
    with pytest.raises(UpdateFailedError, match=r"setup\.py failed with status 1"):
        worker.rehearse("new", "", Rehearse((attack,), 60, smoke=False), same_packages=False)
    process = worker._process
    assert process is not None
    assert process.poll() is None
    worker.close()
    assert what_was_done(lines) == ALWAYS
    assert any(line.startswith("attack: kill Operation not permitted") for line in lines)


BUILD = """
import sys
from autoupdate.model.paths import AppPaths
from autoupdate.worker import commands, orphans, writable
orphans.become_subreaper()
paths = AppPaths(sys.argv[1], "")
new = paths.release("new")
with commands.Build(lambda: writable.of_build(paths, new)) as build:
    status, output = build.command(["/usr/bin/python3", f"{new}/setup.py"], new, {})
orphans.end_descendants()
print(output)
sys.exit(status)
"""


def test_build_that_attacks(home: AppPaths) -> None:
    environment = {**CLEAN_ENVIRONMENT, "PYTHONPATH": LIBRARY}
    done = run("/usr/bin/python3", "-c", BUILD, home.home, environment=environment, check=False)
    assert done.stderr == ""
    assert what_was_done(done.stdout.splitlines()) == ALWAYS | {"own release"}


def runs(process: str, sleep: str) -> bool:
    """Return whether a process belongs to the attack."""
    try:
        return sleep.encode() in Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


EXTENSION = """
from setuptools import Extension, setup
setup(name="ipfs_accelerate_py", version="9", packages=["ipfs_accelerate_py"],
      ext_modules=[Extension("ipfs_accelerate_py.native", ["native.c"])])
"""
NATIVE = """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "native", 0, -1, 0, 0, 0, 0, 0};
PyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&module); }
"""


@pytest.mark.skipif(not os.path.exists("/usr/bin/gcc"), reason="there is no compiler here")
def test_build_that_compiles(deployed: Site) -> None:
    """A confined build is still a build: compiler, temporary files, processes of its own."""
    commit = deployed.upstream.commit(version=2, files={"setup.py": EXTENSION, "native.c": NATIVE})
    assert deployed.updates_to(commit), "\n".join(deployed.output[-30:])
    assert list((deployed.release / "ipfs_accelerate_py").glob("native*.so"))
