"""A state directory on a file system that is mounted noexec, in a mount name space of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.site import Site
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

# Mounts a directory noexec, then does the runs of a test; `tests` is importable from here.
PROGRAM = """
import subprocess, sys
from pathlib import Path
from autoupdate.host.mounts import noexec_mount
from autoupdate.doctor.case import Case
from autoupdate.doctor.mounts import mounts
from autoupdate.doctor.host_facts import HostFacts
from tests.integration.site import Site
from tools.lib.hosts.git_server import GitServer
from tools.lib.hosts.upstream import Upstream
directory, place, url, *how = sys.argv[1:]
Path(place).mkdir(parents=True, exist_ok=True)
subprocess.run(["mount", *how, place], check=True)
site = Site(Path(directory), GitServer(Path(directory)), object.__new__(Upstream))
site.builds = site.foretells = False
for _ in range(6):
    print(site.run())
app = site.app()
print(app.records.quarantined(), app.records.attempts(url))
case = Case(site.paths, app.settings, app.records, HostFacts(site.paths), "")
print(*mounts(case))
subprocess.run(["mount", "-o", "remount,exec", place], check=True)
print(site.run())
"""


def in_a_name_space(site: Site, place: str, *how: str) -> list[str]:
    """Run the program with a mount at a place; return the lines that it printed."""
    commit = site.upstream.published()
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", PROGRAM, site.directory, place, commit, *how],
        capture_output=True, text=True, check=False, timeout=300,
        env=CLEAN_ENVIRONMENT, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("below", ["", "/releases"])
def test_tmpfs(bare: Site, below: str) -> None:
    place = f"{bare.app_paths.home}{below}"
    *runs, blame, finding, last = in_a_name_space(
        bare, place, "-t", "tmpfs", "-o", "noexec", "tmpfs"
    )
    assert len(runs) == 6
    for line in runs:
        assert f"{place} is mounted noexec" in line
        assert f"mount -o remount,exec {place}" in line
        assert "exit_code=<Exit.FAILED: 1>" in line
    assert blame == "[] None"
    assert f"about='{place}'" in finding
    assert "Result.UPDATED" in last
