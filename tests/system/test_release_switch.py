"""What processes and other users see while releases are built and switched."""

import re
import time

from tools.lib.hosts import commands
from tools.lib.hosts.demo_app import DemoApp
from tools.lib.hosts.package import FIND_MODULES
from tools.lib.hosts.upstream import Upstream

RUN = "autoupdate@ipfs-accelerate.service"

# An old process: imports the package, then waits for a line before it imports one module more.
OLD_PROCESS = """
import sys
import ipfs_accelerate_py.version as version
print(version.VERSION, flush=True)
sys.stdin.readline()
import ipfs_accelerate_py.late as late
print(late.LATE_VERSION, flush=True)
"""

# Two files of one release, read through one look at the path: they must always agree.
PROBER = """
import os, select, sys, time
path, seen, reads = sys.argv[1], set(), 0
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    pair = []
    for name in ("VERSION", "ipfs_accelerate_py/version.py"):
        with open(name, opener=lambda name, flags: os.open(name, flags, dir_fd=directory)) as file:
            pair.append(file.read())
    os.close(directory)
    with open(f"{path}/.venv/bin/python3", "rb") as python:
        python.read(4)
    seen.add(tuple(pair))
    reads += 1
    time.sleep(0.001)
print(reads, sorted(seen), flush=True)
"""

SWITCHER = """
import os, sys
from autoupdate.model.paths import Paths
from autoupdate.host.links import linked_release, switch
paths = Paths().app("ipfs-accelerate")
for _ in range(50):
    switch(paths, linked_release(paths.previous), linked_release(paths.current))
"""


def test_old_process_keeps_importing_old_code(deployed_app: DemoApp, upstream: Upstream) -> None:
    host, path = deployed_app.host, deployed_app.path
    old = host.popen(f"{path}/.venv/bin/python3", "-c", OLD_PROCESS, user="accelerate", cwd=path)
    assert old.stdout is not None
    assert old.stdout.readline() == "1\n"
    upstream.commit(version=2)

    host.systemctl("start", RUN, timeout=300)

    assert deployed_app.health()["version"] == 2
    assert deployed_app.late() == 2
    said, _ = old.communicate("go on\n", timeout=30)
    assert said == "1\n"


def test_switches_are_atomic(deployed_app: DemoApp, upstream: Upstream) -> None:
    """Fifty switches under the eyes of a reader that looks once per millisecond."""
    host, path = deployed_app.host, deployed_app.path
    upstream.commit(version=2)
    host.systemctl("start", RUN, timeout=300)
    prober = host.popen("/usr/bin/python3", "-c", PROBER, path, user="accelerate")
    assert prober.stdout is not None
    assert prober.stdout.readline() == "ready\n"

    host.run("/usr/bin/python3", "-c", FIND_MODULES + SWITCHER)
    time.sleep(0.1)

    said, complaints = prober.communicate(timeout=30)
    assert complaints == ""
    reads, seen = said.split(" ", 1)
    assert int(reads) > 50
    assert seen.count("VERSION = 1") == seen.count("VERSION = 2") == 1
    assert seen.count("('1\\n'") == seen.count("('2\\n'") == 1


def test_nothing_of_upstream_runs_as_root(app: DemoApp, upstream: Upstream) -> None:
    """Every process of a deployment is looked at: git, pip and the app belong to _autoupdate."""
    host = app.host
    watcher = host.popen("sh", "-c", "while :; do ps -ww -e -o user:32=,args=; sleep 0.02; done")
    host.systemctl("start", RUN, timeout=300)
    commands.kill_group(watcher.pid)
    assert watcher.stdout is not None
    lines = set(watcher.stdout.read().splitlines())

    suspicious = re.compile(
        r"\bgit\b|\bpip\b|/releases/|/environments/|setup\.py|autoupdate\.worker"
    )
    seen = {line for line in lines if suspicious.search(line)}
    users = {line.split()[0] for line in seen}
    assert users == {"_autoupdate"}, sorted(seen)
    for needed in ("git", "pip", "autoupdate.worker"):
        assert any(needed in line for line in seen), f"the watcher saw no {needed}"
