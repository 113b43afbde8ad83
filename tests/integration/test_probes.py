"""Probes against real servers on the loopback interface, and real commands."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from autoupdate.config.sections import Probe
from autoupdate.config.settings import probes
from autoupdate.host.probes import attempt
from tools.lib.hosts.commands import run
from tools.lib.hosts.ports import free_port

BODY = b'<html>\nthe state is {"ok": true}\n</html>\xff\n\n'
REPLACED = "</html>\N{REPLACEMENT CHARACTER}"


class Page(BaseHTTPRequestHandler):
    """Answers as the path requests."""

    def do_GET(self) -> None:
        """Answer one request."""
        if self.path == "/hang":
            time.sleep(3)
        elif self.path == "/reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()
        elif self.path == "/no-http":
            self.wfile.write(b"SSH-2.0-OpenSSH\r\n")
        elif self.path.startswith("/drip"):
            if self.path == "/drip":
                self.send_response(200)
                self.end_headers()
            for _ in range(60):
                self.wfile.write(b"H")
                time.sleep(0.05)
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            for _ in range(400):
                self.wfile.write(b"x" * 100_000)
        else:
            self.send_response({"/broken": 500, "/moved": 302}.get(self.path, 200))
            self.send_header("Location", "/")
            self.end_headers()
            self.wfile.write(self.path.encode() if "?" in self.path else BODY)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Log nothing."""


def serve(server: ThreadingHTTPServer) -> Iterator[int]:
    """Serve until the test ends."""
    # Writing to a client that has left does not fail a test.
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def port() -> Iterator[int]:
    """Return the port of a server without encryption."""
    yield from serve(ThreadingHTTPServer(("127.0.0.1", 0), Page))


@pytest.fixture
def tls_port(tmp_path: Path) -> Iterator[int]:
    """Return the port of a server with a self-signed certificate."""
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=localhost")  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    yield from serve(server)


def probe(**table: Any) -> Probe:
    """Return a probe, parsed like a setting."""
    (found,) = probes([{"timeout": "1s", **table}])
    return found


def get(url: str, **table: Any) -> str:
    """Try an HTTP probe once."""
    return attempt(probe(type="http", url=url, **table), "/", None)


@pytest.mark.parametrize(
    ("path", "table", "seen"),
    [
        ("", {}, ""),
        ("/health", {"expect_body": r'"ok": +true'}, ""),
        ("/a?b=c&d", {"expect_body": r"^/a\?b=c&d"}, ""),
        ("/health", {"expect_body": '"ok": false'},
         "no '\"ok\": false' in the answer: " + REPLACED),
        ("/broken", {}, "status 500, not 200: " + REPLACED),
        ("/broken", {"expect_status": 500}, ""),
        # Redirections are not followed.
        ("/moved", {}, "status 302, not 200: " + REPLACED),
        ("/moved", {"expect_status": 302}, ""),
    ],
)  # fmt: skip
def test_http(port: int, path: str, table: dict[str, Any], seen: str) -> None:
    assert get(f"http://127.0.0.1:{port}{path}", **table) == seen


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/hang", "no answer within 1 s"),
        ("/drip", "no answer within 1 s"),
        ("/drip-before-the-headers", "no answer within 1 s"),
        ("/reset", "no answer: Connection reset by peer"),
        ("/no-http", "no answer: SSH-2.0-OpenSSH"),
    ],
)
def test_server_that_misbehaves(port: int, path: str, seen: str) -> None:
    begun = time.monotonic()
    assert get(f"http://127.0.0.1:{port}{path}").strip() == seen
    assert time.monotonic() - begun < 2.5


def test_only_the_start_of_an_endless_page_is_read(port: int) -> None:
    assert get(f"http://127.0.0.1:{port}/endless", timeout="5s") == ""


def test_nobody_listens() -> None:
    closed = free_port()
    assert get(f"http://127.0.0.1:{closed}/") == "no answer: Connection refused"
    tcp = probe(type="tcp", address=f"127.0.0.1:{closed}")
    assert attempt(tcp, "/", None) == "no connection: Connection refused"


def test_host_that_does_not_exist() -> None:
    assert "no-such-host" not in get("http://no-such-host.invalid/", timeout="5s")
    tcp = probe(type="tcp", address="no-such-host.invalid:80", timeout="5s")
    assert attempt(tcp, "/", None).startswith("no connection: ")


def test_self_signed_certificate(tls_port: int) -> None:
    url = f"https://127.0.0.1:{tls_port}/health"
    assert "certificate verify failed" in get(url)
    assert get(url, verify_tls=False) == ""
    # Plain HTTP to a TLS port, and the other way round.
    assert get(url.replace("https", "http")).startswith("no answer")


def test_missing_tls(port: int) -> None:
    assert get(f"https://127.0.0.1:{port}/", verify_tls=False).startswith("no answer: ")


def test_tcp(port: int) -> None:
    assert attempt(probe(type="tcp", address=f"127.0.0.1:{port}"), "/", None) == ""
    assert attempt(probe(type="tcp", address=f"localhost:{port}"), "/", None) == ""


def test_tcp_over_ipv6() -> None:
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback address")
    with closing(listening):
        port = listening.getsockname()[1]
        assert attempt(probe(type="tcp", address=f"[::1]:{port}"), "/", None) == ""


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Return a release with as much of an environment as a command needs."""
    binaries = tmp_path / "release 1/.venv/bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to("/usr/bin/python3")
    tool = binaries / "look"
    tool.write_text('#!/bin/sh\necho "$@"\nexit 3\n')
    tool.chmod(0o755)
    return tmp_path / "release 1"


def command(release: Path, *words: str, timeout: str = "5s") -> str:
    """Try a command probe once."""
    return attempt(probe(type="command", command=list(words), timeout=timeout), str(release), None)


def test_command_runs_in_the_release_with_its_environment(release: Path) -> None:
    program = "import os, sys; assert os.getcwd() + '/x' == sys.argv[1]; sys.exit(4)"
    seen = command(release, "{python}", "-c", program, "{release}/x")
    assert seen == "exit code 4: no output"
    look = 'test "$HOME" = "$1" -a -z "$USER" -a "${PATH%%:*}" = "$1/.venv/bin"'
    assert command(release, "sh", "-c", look, "-", "{release}") == ""
    assert command(release, "look", "here") == "exit code 3: here"
    assert command(release, "true") == ""


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        (["sh", "-c", "echo first >&2; echo why >&2; echo out; exit 1"], "exit code 1: why"),
        (["false"], "exit code 1: no output"),
        (["sh", "-c", "kill -9 $$"], "exit code -9: no output"),
        (["no-such-program"], "no-such-program cannot be started: No such file or directory"),
        (["sh", "-c", "yes | head -c 9000; exit 1"], "exit code 1: y"),
    ],
)
def test_command_that_fails(release: Path, words: list[str], seen: str) -> None:
    assert command(release, *words) == seen


def test_command_that_hangs_is_killed_with_its_children(release: Path) -> None:
    begun = time.monotonic()
    seen = command(release, "sh", "-c", "sleep 987654 & sleep 987653", timeout="1s")
    assert seen == "did not end within 1 s"
    assert time.monotonic() - begun < 3
    left = subprocess.run(["pgrep", "-f", "sleep 98765[34]"], stdout=subprocess.PIPE, check=False)
    assert left.stdout == b""
