"""Access to upstream that needs settings: SSH, a private certificate authority, a proxy.

Each with a real server, and with the message for the administrator when the setting is wrong.
"""

import os
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from tests.integration.site import Site
from tools.lib.hosts.commands import run
from tools.lib.hosts.git_server import GitServer
from tools.lib.hosts.proxy import Proxy
from tools.lib.hosts.ssh_server import PROGRAM, SshServer


class OverSsh:
    """A host that fetches from a server by SSH, with files of the administrator."""

    def __init__(self, site: Site, server: SshServer) -> None:
        self.site = site
        self.server = server
        self.known_hosts = site.directory / "known_hosts"
        self.ssh_key = site.directory / "ssh-key"
        self.trust(server.host_key)
        self.use(server.key)
        site.configure(
            upstream__url=server.url(site.upstream.bare),
            upstream__ssh_key=str(self.ssh_key),
            upstream__known_hosts=str(self.known_hosts),
        )

    def trust(self, host_key: Path) -> None:
        """Pin the key of the host."""
        self.known_hosts.write_text(self.server.known_as(host_key))

    def use(self, key: Path) -> None:
        """Log in with a key."""
        shutil.copy(key, self.ssh_key)
        self.ssh_key.chmod(0o600)

    def is_refused(self, said: str) -> bool:
        """Do one run; return whether it changed nothing and reported this reason in one line."""
        before, checks = self.site.current, len(self.site.server.requests)
        outcome = self.site.run(force=True)
        assert (outcome.result, outcome.exit_code) == (Result.UNREACHABLE, Exit.UNREACHABLE)
        assert said in outcome.reason, outcome.reason
        assert "\n" not in outcome.reason
        assert len(self.site.server.requests) == checks
        return self.site.current == before


@pytest.fixture
def over_ssh(quick: Site) -> Iterator[OverSsh]:
    """Return a host with version 1; version 2 is on a server with SSH."""
    if not Path(PROGRAM).exists():
        pytest.skip("sshd is not installed (openssh-server)")
    quick.upstream.commit(version=2)
    (quick.directory / "ssh").mkdir()
    with SshServer(quick.directory / "ssh") as server:
        yield OverSsh(quick, server)


def test_ssh_with_a_key_and_a_pinned_host_key(over_ssh: OverSsh) -> None:
    assert over_ssh.site.updates_to(over_ssh.site.upstream.head())
    assert "Accepted publickey" in over_ssh.server.log()
    # Nothing is cached: the next exchange reads the files again.
    over_ssh.site.upstream.commit(version=3)
    over_ssh.trust(over_ssh.server.make_key("another_host_key"))
    assert over_ssh.is_refused("the host key is not in upstream.known_hosts")
    over_ssh.trust(over_ssh.server.host_key)
    assert over_ssh.site.run(force=True).result is Result.UPDATED


def test_ssh_host_that_is_not_listed(over_ssh: OverSsh) -> None:
    over_ssh.known_hosts.write_text(f"elsewhere {over_ssh.server.public(over_ssh.server.key)}")
    assert over_ssh.is_refused("the host key is not in upstream.known_hosts")


def test_ssh_key_that_is_refused(over_ssh: OverSsh) -> None:
    over_ssh.use(over_ssh.server.make_key("another_key"))
    assert over_ssh.is_refused("Permission denied (publickey)")


class Authority:
    """A private certificate authority, and a server's certificate from it."""

    def __init__(self, directory: Path) -> None:
        self.certificate = directory / "ca.pem"
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        key, chain = directory / "ca.key", directory / "server.pem"
        new = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes", "-days", "2")  # fmt: skip
        run(*new, "-subj", "/CN=private authority", "-keyout", key, "-out", self.certificate)
        server = ("-CA", self.certificate, "-CAkey", key, "-subj", "/CN=server")
        name = ("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE")
        run(*new, *server, *name, "-keyout", directory / "server.key", "-out", chain)
        self.context.load_cert_chain(chain, directory / "server.key")


@pytest.fixture
def private(quick: Site) -> Iterator[tuple[Site, GitServer, Authority]]:
    """Return a host with version 1; version 2 is on a server that a private authority knows."""
    quick.upstream.commit(version=2)
    authority = Authority(quick.directory)
    server = GitServer(quick.server.directory)
    server.tls = authority.context
    with server:
        yield quick, server, authority


def test_private_authority(private: tuple[Site, GitServer, Authority]) -> None:
    site, server, authority = private
    url, before = server.url(site.upstream.name), site.current
    site.configure(upstream__url=url)
    outcome = site.run()
    assert (outcome.exit_code, site.current) == (Exit.UNREACHABLE, before)
    assert "certificate" in outcome.reason
    assert server.requests == []
    site.configure(upstream__url=url, upstream__ca_file=str(authority.certificate))
    assert site.updates_to(site.upstream.head(), force=True)
    # The configured authority replaces all others.
    other = site.directory / "other"
    other.mkdir()
    Authority(other)
    site.upstream.commit(version=3)
    site.configure(upstream__url=url, upstream__ca_file=str(other / "ca.pem"))
    outcome = site.run(force=True)
    assert outcome.exit_code == Exit.UNREACHABLE
    assert "certificate" in outcome.reason


def test_proxy_with_a_password(quick: Site) -> None:
    commit = quick.upstream.commit(version=2)
    with Proxy("somebody:canary-9c1f") as proxy:
        wrong = proxy.url("somebody:canary-wrong")
        quick.configure(upstream__proxy=wrong)
        outcome = quick.run()
        assert outcome.exit_code == Exit.UNREACHABLE
        assert "407" in outcome.reason
        assert "canary" not in repr([outcome, *quick.log.events, *quick.output])
        direct = len(quick.server.requests)
        quick.configure(upstream__proxy=proxy.url(proxy.login))
        assert quick.updates_to(commit, force=True)
        assert "canary" not in repr([*quick.log.events, *quick.output])
        asked = [line for line in proxy.asked if line.startswith(f"GET {quick.upstream.url}")]
        assert asked
        # Every request went through the proxy.
        assert len(quick.server.requests) > direct
        assert all(line.split()[1].startswith(quick.upstream.url) for line in proxy.asked)


def test_tunnel_through_a_proxy(private: tuple[Site, GitServer, Authority]) -> None:
    site, server, authority = private
    with Proxy() as proxy:
        site.configure(
            upstream__url=server.url(site.upstream.name),
            upstream__ca_file=str(authority.certificate),
            upstream__proxy=proxy.url(),
        )
        assert site.updates_to(site.upstream.head())
        assert set(proxy.asked) == {f"CONNECT 127.0.0.1:{server.port}"}
    # Without the proxy, upstream cannot be reached.
    site.upstream.commit(version=3)
    assert site.run().exit_code == Exit.UNREACHABLE


def test_directory_of_another_user(quick: Site) -> None:
    """git itself would refuse it because of its owner, but the administrator chose it."""
    if os.geteuid():
        pytest.skip("needs root, to give the repository to another user")
    quick.upstream.commit(version=2)
    for path in (quick.upstream.bare, *quick.upstream.bare.rglob("*")):
        os.chown(path, 12345, 12345)
    quick.configure(upstream__url=f"file://{quick.upstream.bare}")
    assert quick.updates_to(quick.upstream.head())
