"""Private indexes and Git dependencies: installers get in, and nobody else gets the secrets."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from autoupdate.app import Outcome
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from tests.integration.indexes import Good
from tests.integration.site import APP, Site
from tests.integration.strangers import StrangeSite
from tests.integration.test_credentials import watching
from tools.lib.hosts.commands import run
from tools.lib.hosts.git_server import GitServer
from tools.lib.hosts.outage import git_package
from tools.lib.hosts.ssh_server import PROGRAM, SshServer

# Characters that netrc files, URLs and shells each read in their own way.
CANARY = "canary-5b1e/@:%$'x\"\\#y z"
LOGIN = f"robot:{CANARY}"
OWN = "autoupdateprivate9c41"
# What setup.py writes down and prints: its environment and arguments, and those of its parents.
CURIOUS = """
import os, pathlib, sys
from setuptools import setup
here = pathlib.Path(__file__).parent
for name in filter(str.isdecimal, os.listdir("/proc")):
    for file in ("environ", "cmdline"):
        try:
            here.joinpath(f"seen-{file}-{name}").write_bytes(
                pathlib.Path(f"/proc/{name}/{file}").read_bytes())
        except OSError:
            pass
print(open(os.environ["NETRC"]).read() if "NETRC" in os.environ else "no file")
setup(name="ipfs_accelerate_py", version="1.0", packages=["ipfs_accelerate_py"])
"""


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Good]:
    """Return an index that asks for a password."""
    with Good(tmp_path) as index:
        index.login = LOGIN
        # A name that no public index has.
        index.wheel(OWN, "1.0")
        yield index


def secret(site: Site, name: str, content: str, mode: int = 0o600) -> str:
    """Write a file of the administrator's."""
    file = site.directory / name
    file.write_text(content)
    file.chmod(mode)
    return str(file)


def configure(site: Site, installer: str, uv_directory: Path, *tables: dict[str, Any]) -> None:
    """Set the installer, and the credentials of builds."""
    kept = Path(site.app_paths.environments, uv_directory.name)
    if installer == "uv" and not kept.exists():
        site.use_uv(uv_directory)
    else:
        site.configure(build__installer=installer)
    file = Path(site.paths.etc, "apps", f"{APP}.toml")
    for table in tables:
        lines = [f"{key} = {value!r}\n" for key, value in table.items()]
        file.write_text(f"{file.read_text()}[[build.credentials]]\n{''.join(lines)}")


def shown(site: Site, outcome: Outcome) -> str:
    """Print what a failed run said."""
    print(*outcome, *site.output, *site.server.requests[-1:], sep="\n")
    return outcome.reason


def assert_nowhere(site: Site, outcome: Outcome, seen: set[bytes]) -> None:
    """Check that the secret is in nothing that a build leaves, shows or starts."""
    secrets = {CANARY.encode(), quote(CANARY, "").encode(), b"canary-5b1e"}
    places = [site.root, site.directory / "cache"]
    files = [
        path for place in places for path in place.rglob("*")
        if path.is_file() and not path.is_symlink()
    ]  # fmt: skip
    assert len(files) > 100
    for path in files:
        content = path.read_bytes()
        assert not any(text in content for text in secrets), path
    told = "\n".join([repr(outcome), *map(repr, site.log.events), *site.output]).encode()
    assert not any(text in told for text in secrets)
    assert any(b"pip" in line for line in seen), "the watch saw nothing"
    for line in seen:
        assert not any(text in line for text in secrets), line
    assert not list(Path(site.app_paths.run).glob("access-*"))


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_private_index(deployed: Site, private: Good, uv_directory: Path, installer: str) -> None:
    seen: set[bytes] = set()
    token = secret(deployed, "token", f"{CANARY}\n")
    known = {"host": f"127.0.0.1:{private.port}", "username": "robot", "token_file": token}
    configure(deployed, installer, uv_directory)
    needs = (f"--extra-index-url {private.url}/simple", OWN)
    deployed.upstream.commit(version=2, requirements=needs, files={"setup.py": CURIOUS})
    outcome = deployed.run()
    assert outcome.exit_code == Exit.UNREACHABLE, shown(deployed, outcome)
    assert f"127.0.0.1:{private.port} needs a login" in outcome.reason
    assert "build.credentials" in outcome.advice
    configure(deployed, installer, uv_directory, known)
    with watching(seen):
        outcome = deployed.run(force=True)
    assert outcome.result is Result.UPDATED, shown(deployed, outcome)
    python = deployed.release / ".venv/bin/python"
    found = run(python, "-m", "pip", "list", "--format=freeze").stdout
    assert f"{OWN}==1.0" in found.split()
    assert list(deployed.release.glob("seen-environ-*")), "setup.py looked around"
    assert_nowhere(deployed, outcome, seen)
    # Not rebuilt because of it: what a server is shown makes no other release.
    configure(deployed, installer, uv_directory, {**known, "username": "other"})
    assert deployed.run().result is Result.CURRENT
    # What a failed build has printed is in the log.
    configure(deployed, installer, uv_directory, known)
    loud = f"{CURIOUS}raise SystemExit(1)\n"
    deployed.upstream.commit(version=3, requirements=needs, files={"setup.py": loud})
    outcome = deployed.run()
    assert outcome.exit_code == Exit.FAILED, shown(deployed, outcome)
    printed = [line for line in deployed.output if '"robot" "password"' in line]
    # pip --quiet shows nothing of it.
    assert bool(printed) is (installer == "uv")
    assert all("***" in line for line in printed)
    assert_nowhere(deployed, outcome, seen)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run builds as another user")
def test_build_of_another_user(strange: StrangeSite, tmp_path: Path) -> None:
    """The file is root's; the builds' user gets a copy, and for the time of the build only."""
    dependency(tmp_path)
    token = secret(strange, "token", CANARY)
    with GitServer(tmp_path) as server:
        server.login = LOGIN
        known = {"host": f"127.0.0.1:{server.port}", "username": "robot", "token_file": token}
        configure(strange, "pip", tmp_path, known)
        needs = (f"thing@git+{server.url('thing')}",)
        strange.upstream.commit(version=2, requirements=needs)
        outcome = strange.run()
        assert outcome.result is Result.UPDATED, shown(strange, outcome)
    assert not list(Path(strange.app_paths.run).glob("access-*"))


def dependency(place: Path) -> Path:
    """Make a Git repository with a package below a directory; return it."""
    work, bare = place / "work", place / "thing.git"
    git_package(bare, work, "thing", "4.0")
    return bare


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_private_git_dependency(
    deployed: Site, tmp_path: Path, uv_directory: Path, installer: str
) -> None:
    seen: set[bytes] = set()
    dependency(tmp_path)
    token = secret(deployed, "token", CANARY)
    with GitServer(tmp_path) as server:
        server.login = LOGIN
        host = f"127.0.0.1:{server.port}"
        known = {"host": host, "username": "robot", "token_file": token}
        configure(deployed, installer, uv_directory, known)
        needs = (f"thing@git+{server.url('thing')}",)
        deployed.upstream.commit(version=2, requirements=needs)
        with watching(seen):
            outcome = deployed.run()
        assert outcome.result is Result.UPDATED, shown(deployed, outcome)
        assert set(server.logins) == {LOGIN}
        facts = next(deployed.release.glob(".venv/lib/*/site-packages/thing-4.0.dist-info"))
        assert f'"{server.url("thing")}"' in (facts / "direct_url.json").read_text()
        assert_nowhere(deployed, outcome, seen)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_git_dependency_over_ssh(
    deployed: Site, tmp_path: Path, uv_directory: Path, installer: str
) -> None:
    if not Path(PROGRAM).exists():
        pytest.skip("sshd is not installed (openssh-server)")
    bare = dependency(tmp_path / "served")
    with SshServer(tmp_path) as server:
        keys = {"ssh_key": secret(deployed, "key", server.key.read_text())}
        line = server.known_as(server.make_key("another"))
        known = {"known_hosts": secret(deployed, "known_hosts", line, 0o644)}
        table = {"host": f"127.0.0.1:{server.port}", **keys, **known}
        configure(deployed, installer, uv_directory, table)
        needs = (f"thing@git+{server.url(bare)}",)
        deployed.upstream.commit(version=2, requirements=needs)
        outcome = deployed.run()
        assert outcome.exit_code == Exit.UNREACHABLE, shown(deployed, outcome)
        assert "has an SSH host key that is not known" in outcome.reason
        secret(deployed, "known_hosts", server.known_as(server.host_key), 0o644)
        outcome = deployed.run(force=True)
        assert outcome.result is Result.UPDATED, shown(deployed, outcome)
        assert "Accepted publickey" in server.log()
    body = server.key.read_text().splitlines()[2].encode()
    for path in (*deployed.root.rglob("*"), *(deployed.directory / "cache").rglob("*")):
        if path.is_file() and not path.is_symlink():
            assert body not in path.read_bytes(), path


def test_file_that_others_can_read_ends_the_build_and_blames_no_commit(
    quick: Site, uv_directory: Path
) -> None:
    quick.builds = True
    token = secret(quick, "token", CANARY, 0o644)
    configure(quick, "uv", uv_directory, {"host": "pypi.example", "token_file": token})
    quick.upstream.commit(version=2)
    for _ in range(2):
        outcome = quick.run()
        assert outcome.exit_code == Exit.USAGE
        said = f"build.credentials for pypi.example: token_file: others may read {token}"
        assert said in outcome.reason
        assert outcome.advice == f"chmod 600 {token}"
    assert os.listdir(quick.app_paths.releases) == [quick.current]
