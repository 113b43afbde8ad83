"""Daemons that a build starts are found and killed, however they detach."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.worker.orphans import descendants

LIBRARY = Path(__file__).parents[2]
# Several ways to leave parent, process group and session; each daemon records its process id.
DAEMONS = """
import os, signal, sys, time
def daemon(*steps):
    if os.fork():
        return
    for step in steps:
        step()
    with open(f"{sys.argv[1]}/{os.getpid()}", "w") as file:
        file.write(".")
    time.sleep(600)
    os._exit(0)
def fork():
    if os.fork():
        os._exit(0)
daemon()
daemon(os.setsid)
daemon(os.setsid, fork)
daemon(fork, os.setsid, fork, os.setpgrp)
daemon(lambda: [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)], os.setsid, fork)
daemon(lambda: open("/proc/self/comm", "w").write(") S 1 (x"), fork)
def breed():
    # A child after another, as long as anybody lets it.
    while True:
        fork()
        time.sleep(0.002)
daemon(os.setsid, fork, lambda: open(f"{sys.argv[1]}/breeder", "w").close(), breed)
"""
RUN = """
import os, subprocess, sys, time
from autoupdate.worker.orphans import become_subreaper, descendants, end_descendants
become_subreaper()
subprocess.run([sys.executable, "-c", sys.argv[2], sys.argv[1]], check=True)
while len(os.listdir(sys.argv[1])) < 7:
    time.sleep(0.01)
print(len(descendants(os.getpid())), flush=True)
end_descendants()
print(descendants(os.getpid()), flush=True)
"""


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Path]:
    """Return where the daemons write their process ids; those that are left are killed."""
    yield tmp_path
    for name in filter(str.isdecimal, os.listdir(tmp_path)):
        if is_alive(name):
            os.kill(int(name), 9)


def is_alive(process: str) -> bool:
    """Return whether a process runs and is not a zombie."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_no_daemon_survives(notes: Path) -> None:
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", RUN, notes, DAEMONS],
        capture_output=True, text=True, timeout=60, check=False,
        env={"PYTHONPATH": str(LIBRARY), "PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.stderr == ""
    found, left = done.stdout.splitlines()
    assert int(found) >= 7
    assert left == "[]"
    daemons = [name for name in os.listdir(notes) if name.isdecimal()]
    assert len(daemons) == 6
    assert not [name for name in daemons if is_alive(name)]
    assert time.monotonic() - begun < 30


def test_processes_of_others_are_not_killed() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        assert child.pid in descendants(os.getpid())
        assert os.getpid() in descendants(os.getppid())
        assert os.getpid() not in descendants(child.pid)
        assert 1 not in descendants(os.getpid())
        child.kill()
