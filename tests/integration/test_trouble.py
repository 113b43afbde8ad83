"""Real runs of pip and uv against servers in trouble, for which no commit is to blame.

And the converse: what a server that works answers for a bad commit is the commit's fault.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from autoupdate.config.sections import Upstream
from autoupdate.config.settings import SETTINGS
from autoupdate.model.errors import AutoupdateError, DependenciesFailedError, Exit, UnreachableError
from autoupdate.model.steps import Result
from autoupdate.records.records import Records
from autoupdate.reports.status import status
from autoupdate.upstream.git_environment import host_of
from autoupdate.upstream.ls_remote import check
from autoupdate.worker import commands
from autoupdate.worker.packages.installer import Installer, cache_environment, fault
from tests.integration.indexes import Good
from tests.integration.site import Site
from tools.lib.hosts.commands import run
from tools.lib.hosts.git_server import GitServer
from tools.lib.hosts.misbehaving import Misbehaving, Trouble
from tools.lib.hosts.outage import git_package

PYTHON = "/usr/bin/python3"


class Tool(NamedTuple):
    """An installer, and the virtual environment that it installs into."""

    installer: Installer
    venv: Path

    def fails(self, arguments: Sequence[str], indexes: Sequence[str] = ()) -> AutoupdateError:
        """Install something that cannot be installed; return the error."""
        words = self.installer.install(str(self.venv), arguments)
        with commands.Build(lambda: (str(self.venv),)) as build:
            status, output = build.command(words, "/", {"UV_NO_CACHE": "1"})
        assert status, output
        return fault(status, output, DependenciesFailedError, indexes)


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory, uv_directory: Path) -> dict[str, Tool]:
    """Return the host's pip, the newest one, and uv."""
    directory = tmp_path_factory.mktemp("tools")
    for name in ("old", "new"):
        run(PYTHON, "-I", "-m", "venv", directory / name)
    environment = os.environ | cache_environment(str(directory))
    run(directory / "new/bin/python", "-m", "pip", "install", "--quiet", "--upgrade", "pip",
        environment=environment)  # fmt: skip
    program = str(uv_directory / "bin/uv")
    pip = Installer("pip", "")
    return {
        "pip of the host": Tool(pip, directory / "old"),
        "pip": Tool(pip, directory / "new"),
        "uv": Tool(Installer("uv", program), directory / "new"),
    }


# git is run by all in the same way, and most answers about a file are those about a page.
# The pip of the host is used as long as the newest one cannot be had.
TELLING = (
    Trouble.FORBIDDEN, Trouble.PORTAL, Trouble.TRUNCATED, Trouble.REFUSED, Trouble.UNAVAILABLE,
)  # fmt: skip
TABLE = [
    (trouble, what, tool)
    for trouble in Trouble
    for what in ("index", "git dependency")
    for tool in ("pip", "uv")
] + [
    *((trouble, "file", tool) for trouble in TELLING[:3] for tool in ("pip", "uv")),
    *((trouble, "index", "pip of the host") for trouble in TELLING),
]


@pytest.mark.usefixtures("as_in_a_worker")
@pytest.mark.parametrize(("trouble", "what", "tool"), TABLE)
def test_server_is_to_blame(
    tools: dict[str, Tool], tmp_path: Path, trouble: Trouble, what: str, tool: str
) -> None:
    file = "thing-1.0-py3-none-any.whl"
    link = f'<a href="/files/{file}">{file}</a>'.encode()
    pages = {"/simple/thing/": link} if what == "file" else {}
    with Misbehaving(trouble, tmp_path, pages) as server:
        index = f"{server.url}/simple"
        named = [f"thing @ git+{server.url}/thing.git"]
        arguments = named if what == "git dependency" else ["--index-url", index, "thing"]
        error = tools[tool].fails(arguments, [index])
    assert type(error) is UnreachableError, error
    host = server.host.split(":")[0] if trouble is Trouble.NO_NAME else server.host
    assert error.message.startswith(host), "the server is named"
    assert "\n" not in error.message


@pytest.mark.usefixtures("as_in_a_worker")
@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_ssh_server_is_to_blame(tools: dict[str, Tool], tool: str) -> None:
    error = tools[tool].fails(["thing @ git+ssh://git@127.0.0.1:9/thing.git"])
    assert type(error) is UnreachableError, error
    assert error.message.startswith("127.0.0.1:9 refused the connection")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Good]:
    """Return an index that works."""
    with Good(tmp_path_factory.mktemp("index")) as made:
        yield made


@pytest.mark.parametrize("trouble", Trouble)
def test_upstream_is_to_blame(tmp_path: Path, trouble: Trouble) -> None:
    """The check asks upstream before anything is built, so no commit is at hand."""
    known = {
        setting.key.removeprefix("upstream."): setting.default
        for setting in SETTINGS
        if setting.key.startswith("upstream.")
    }
    with Misbehaving(trouble, tmp_path, {}) as server:
        asked = Upstream(**{**known, "url": f"{server.url}/app.git", "timeout": 2.0})
        with pytest.raises(UnreachableError) as caught:
            check(asked, str(tmp_path), None)
    assert server.host in caught.value.message
    assert host_of(asked.url) == server.host, "which `status` shows"


BAD = {
    "no such project": "missing",
    "no such version": "thing==99",
    "no version in the range": "thing>=99",
    "only other versions": "pre<1.0a1",
    "conflict": "other thing>=1",
    "only for another system": "windows",
    "no such file": "x@{url}/none-1.0-py3-none-any.whl",
    "no such repository": "x@git+{url}/none.git",
    "build fails": "broken",
    "build requires what does not exist": "{directory}/needs-missing",
    "manifest is not TOML": "{directory}/invalid",
    "syntax of requirements": "--requirement {directory}/requirements.txt",
}


@pytest.mark.usefixtures("as_in_a_worker")
@pytest.mark.parametrize("tool", ["pip of the host", "pip", "uv"])
@pytest.mark.parametrize("bad", BAD)
def test_commit_is_to_blame(tools: dict[str, Tool], good: Good, bad: str, tool: str) -> None:
    words = [word.format(url=good.url, directory=good.directory) for word in BAD[bad].split()]
    index = f"{good.url}/simple"
    error = tools[tool].fails(["--index-url", index, *words], [index])
    assert type(error) is DependenciesFailedError, error


def test_git_dependency_while_its_server_is_down(deployed: Site, uv_directory: Path) -> None:
    """No quarantine, no remembered failure; the server is named, and the next run can succeed."""
    deployed.use_uv(uv_directory)
    served = deployed.directory / "dependency"
    git_package(served / "thing.git", served / "thing", "thing", "1.0")
    server = GitServer(served)
    needs = (f"thing@git+{server.url('thing')}",)
    first = deployed.upstream.commit(version=2, requirements=needs)
    outcome = deployed.run()
    assert outcome.result is Result.UNREACHABLE, outcome
    assert outcome.exit_code == Exit.UNREACHABLE
    host = f"127.0.0.1:{server.port}"
    assert f"{host} refused the connection" in outcome.reason
    app = deployed.app()
    shown = status(app.settings, deployed.app_paths, app.host.services)
    assert shown["network_trouble"]["server"] == host
    app.records.close()
    records = Records(deployed.app_paths.state, read_only=True)
    assert records.quarantined() == []
    counted = records.attempts(first)
    assert counted is not None
    assert counted.failed == 1
    records.close()
    assert deployed.run().result is Result.DEFERRED, "there is a wait before the next try"
    second = deployed.upstream.commit(version=3, requirements=needs)
    outcome = deployed.run()
    assert outcome.result is Result.UNREACHABLE
    assert "the same dependencies failed" not in outcome.reason
    with server:
        assert deployed.updates_to(second, force=True)
    assert status(app.settings, deployed.app_paths, app.host.services)["network_trouble"] is None
