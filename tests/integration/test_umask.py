"""Whoever starts a run, with whatever umask: later runs, the services and other users can read."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.site import APP
from tests.integration.strangers import BUILDER, OTHER, StrangeSite, library_for_all, open_to_all
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

# What bin/autoupdatectl does; below another root, the builds' user has to be named.
COMMAND = """
import os, sys
umask, root, *arguments = sys.argv[1:]
os.umask(int(umask, 8))
from autoupdate.cli import prepare
from autoupdate.cli.entry import main
from autoupdate.host.process import Identity
from autoupdate.model.paths import Paths
prepare.identity = lambda _: Identity({name!r}, {uid}, {gid})
sys.exit(main(arguments, Paths(root)))
""".format(**BUILDER._asdict())
PLAIN = {"setup.py": None, "pyproject.toml": None}


@pytest.fixture
def site(quick_directory: Path) -> Iterator[StrangeSite]:
    """Return a host with nothing deployed."""
    directory = quick_directory / "umask"
    directory.mkdir()
    site = StrangeSite.new(directory)
    assert isinstance(site, StrangeSite)
    open_to_all(directory)
    site.library = library_for_all(directory)
    site.configure(shared=[])
    site.upstream.commit(version=2, requirements=(), files=PLAIN)
    yield site
    site.server.stop()
    subprocess.run(["rm", "-rf", directory], check=True)


def autoupdatectl(site: StrangeSite, umask: str, *arguments: str) -> str:
    """Run the command as root with a umask; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, umask, site.root, *arguments],
        capture_output=True, text=True, check=False, timeout=300, cwd="/",
        env={**CLEAN_ENVIRONMENT, "PYTHONPATH": site.library},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def version(site: StrangeSite) -> str:
    """Return the version that a service of another user would run, which reads the state, too."""
    program = (
        f"import json; json.load(open('{site.app_paths.home}/public.json'))\n"
        "from ipfs_accelerate_py.version import VERSION; print(VERSION)"
    )
    done = subprocess.run(
        [f"{site.path}/.venv/bin/python3", "-c", program],
        capture_output=True, text=True, check=False, cwd=site.path, env={},
        user=OTHER.uid, group=OTHER.gid, extra_groups=[],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def mode(path: str) -> int:
    """Return the mode of a file."""
    return os.stat(path).st_mode & 0o777


@pytest.mark.parametrize("umask", ["077", "027", "000"])
def test_first_run_and_the_next_ones(site: StrangeSite, umask: str) -> None:
    autoupdatectl(site, umask, "run", APP)
    assert version(site) == "2"
    site.upstream.commit(version=3, files=PLAIN)
    autoupdatectl(site, umask, "run", APP)
    assert version(site) == "3"
    # The timer's run, and one that finds nothing new.
    autoupdatectl(site, umask, "run", APP)
    site.upstream.commit(version=4, files=PLAIN)
    autoupdatectl(site, "022", "run", APP)
    assert version(site) == "4"
    paths = site.app_paths
    assert mode(paths.state) == mode(paths.lock) == 0o600
    assert mode(paths.environments) == 0o700
    assert mode(f"{paths.home}/public.json") == mode(paths.fresh) == 0o644
    assert (
        mode(paths.home) == mode(paths.releases) == mode(paths.mirror) == mode(paths.run) == 0o755
    )
    ours: list[str | Path] = [
        site.paths.log,
        *Path(paths.home).rglob("*"),
        *Path(paths.run).rglob("*"),
    ]
    loose = [path for path in ours if not os.path.islink(path) and mode(str(path)) & 0o022]
    assert loose == []


def test_host_that_an_earlier_version_closed(site: StrangeSite) -> None:
    autoupdatectl(site, "022", "run", APP)
    paths = site.app_paths
    for closed in ("0700", "0750"):
        for directory in (paths.home, os.path.dirname(paths.home), paths.releases, paths.run):
            os.chmod(directory, int(closed, 8))
        site.upstream.commit(version=int(closed), files=PLAIN)
        autoupdatectl(site, "077", "run", APP)
        assert version(site) == closed.lstrip("0")
