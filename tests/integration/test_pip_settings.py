"""The host's pip.conf does the same for uv as for pip, with real indexes, proxies and certificates.

docs/repositories.md has these rows as a table.
"""

import os
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.config.sections import Build
from autoupdate.worker import commands
from autoupdate.worker.packages import pip_settings
from autoupdate.worker.packages.tool import Tool
from tests.integration.indexes import QUICK, Good
from tests.integration.test_editable import SETTINGS
from tests.integration.test_transports import Authority
from tools.lib.hosts.commands import run
from tools.lib.hosts.misbehaving import Misbehaving, Trouble
from tools.lib.hosts.proxy import Proxy

INSTALLERS = ["pip", "uv"]
# A worker has none of these.
OF_THE_MACHINE = (
    "PIP_CERT", "NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)  # fmt: skip


class Host:
    """A host with a pip.conf, and an index on it."""

    def __init__(self, tool: Tool, directory: Path, index: Good, authority: Authority) -> None:
        self.tool = tool
        self.directory = directory
        self.index = index
        self.authority = authority
        self.count = 0

    def install(self, settings: str, *wanted: str) -> tuple[list[str], str]:
        """Install with a pip.conf; return what is installed, and the output."""
        self.count += 1
        target = self.directory / f"target-{self.count}"
        (self.directory / "pip.conf").write_text(f"[global]\n{settings}\n")
        self.tool._installer = None
        words = self.tool.installer.install(
            str(self.directory / "venv"), ["--target", str(target), *wanted], compiled=False
        )
        _, output = self.tool.attempt(words, "/")
        found = sorted(path.name.removesuffix(".dist-info") for path in target.glob("*.dist-info"))
        return found, output

    def over_tls(self) -> str:
        """Serve the index over TLS from now on; return its URL."""
        self.index.stop()
        self.index.tls = self.authority.context
        self.index.start()
        return f"https://127.0.0.1:{self.index.port}/simple"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return a private authority."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment with the newest pip."""
    directory = tmp_path_factory.mktemp("venv")
    run("/usr/bin/python3", "-I", "-m", "venv", directory)
    run(directory / "bin/pip", "install", "--quiet", "--upgrade", "pip", environment=os.environ)
    return directory


@pytest.fixture(params=INSTALLERS)
def host(
    request: pytest.FixtureRequest, tmp_path: Path, venv: Path, uv_directory: Path,
    authority: Authority, as_in_a_worker: None, monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Host]:  # fmt: skip
    """Return a host for each installer."""
    for name in (*QUICK, *OF_THE_MACHINE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pip_settings, "FILES", (f"{tmp_path}/pip.conf",))
    monkeypatch.setattr(pip_settings, "UV_SETTINGS", f"{tmp_path}/uv.toml")
    monkeypatch.setenv("PIP_CONFIG_FILE", f"{tmp_path}/pip.conf")
    (tmp_path / "venv").symlink_to(venv)
    environments = tmp_path / "environments"
    environments.mkdir()
    (environments / uv_directory.name).symlink_to(uv_directory)
    (tmp_path / "index").mkdir()
    build: Build = SETTINGS._replace(installer=request.param)
    with (
        Good(tmp_path / "index") as index,
        commands.Build(lambda: (str(tmp_path),)) as running,
    ):
        yield Host(Tool(str(environments), build, running.command), tmp_path, index, authority)


def test_indexes(host: Host) -> None:
    url = f"{host.index.url}/simple"
    assert host.install(f"index-url = {url}", "thing")[0] == ["thing-1.0"]
    other = f"index-url = {host.index.url}/none\nextra-index-url =\n  {url}"
    assert host.install(other, "thing")[0] == ["thing-1.0"]
    links = f"no-index = yes\nfind_links = {host.index.directory}/simple/thing"
    assert host.install(links, "thing")[0] == ["thing-1.0"]
    found, output = host.install(f"index-url = {url}\nno-index = yes", "thing")
    assert found == [], output


def test_versions(host: Host) -> None:
    settings = f"index-url = {host.index.url}/simple\n"
    limits = host.directory / "limits.txt"
    limits.write_text("thing<1\n")
    more = f"[install]\nconstraint =\n  {limits}"
    assert host.install(settings + more, "thing")[0] == ["thing-0.5"]
    host.index.wheel("thing", "2.0a1")
    assert host.install(settings, "thing")[0] == ["thing-1.0"]
    assert host.install(f"{settings}pre = true", "thing")[0] == ["thing-2.0a1"]
    found, output = host.install(f"{settings}no-binary = other,thing", "thing")
    assert found == [], output
    assert "setuptools" in host.install(settings, "broken")[1], "it would be built"
    found, output = host.install(f"{settings}only-binary = broken", "broken")
    assert found == [], output
    assert "setuptools" not in output


def test_proxy(host: Host) -> None:
    with Proxy("me:secret") as proxy:
        settings = f"index-url = {host.index.url}/simple\nproxy = {proxy.url('me:secret')}"
        found, output = host.install(settings, "thing")
        assert found == ["thing-1.0"], output
        assert f"GET {host.index.url}/simple/thing/" in proxy.asked


def test_certificates(host: Host) -> None:
    settings = f"index-url = {host.over_tls()}\nretries = 0\n"
    assert "certificate" in host.install(settings, "thing")[1].lower()
    trusted = f"trusted-host = 127.0.0.1:{host.index.port}"
    for more in (f"cert = {host.authority.certificate}", trusted, "trusted-host = 127.0.0.1"):
        found, output = host.install(settings + more, "thing")
        assert found == ["thing-1.0"], (more, output)


def test_certificate_of_the_client(host: Host) -> None:
    place = host.authority.certificate.parent
    context = Authority(host.directory).context
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(host.authority.certificate)
    host.index.stop()
    host.index.tls = context
    host.index.start()
    known = host.directory / "client.pem"
    known.write_text((place / "server.key").read_text() + (place / "server.pem").read_text())
    settings = f"index-url = https://127.0.0.1:{host.index.port}/simple\nretries = 0\n"
    settings += f"cert = {host.directory}/ca.pem\n"
    assert host.install(settings, "thing")[0] == []
    found, output = host.install(f"{settings}client-cert = {known}", "thing")
    assert found == ["thing-1.0"], output


def test_time(host: Host, tmp_path: Path) -> None:
    began = time.monotonic()
    with Misbehaving(Trouble.HANG, tmp_path, {}) as server:
        settings = f"index-url = {server.url}/simple\ntimeout = 1\nretries = 0"
        assert host.install(settings, "thing")[0] == []
    assert time.monotonic() - began < 10, "by default it is 15 s (pip) or 30 s (uv), several times"
