"""A server on the loopback interface that answers every request in one wrong way."""

import contextlib
import ssl
import threading
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.lib.hosts.commands import run
from tools.lib.hosts.ports import free_port

PORTAL = b"<html><head><title>Hotspot</title></head><body>Please log in.</body></html>\n"


class Trouble(Enum):
    """What is wrong with the server, or with the way to it."""

    REFUSED = "nobody listens"
    NO_NAME = "the name of the host is unknown"
    HANG = "takes the request and never answers"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    PROXY_LOGIN = "407"
    TOO_MANY = "429"
    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    PORTAL = "200 and the page of a hotspot"
    WRONG_HOST = "TLS with the certificate of another host"
    TRUNCATED = "closes the connection in the middle of an answer"
    RESET = "closes the connection without an answer"


class Misbehaving:
    """Serves `pages` well and all else badly; `with Misbehaving(Trouble.HANG, directory)`."""

    def __init__(self, trouble: Trouble, directory: Path, pages: dict[str, bytes]) -> None:
        """Take a port; the certificate, if there is one, is made in `directory`."""
        self.trouble = trouble
        self.pages = pages
        self.port = free_port()
        self.stopping = threading.Event()
        self._server: _Server | None = None
        self._tls: ssl.SSLContext | None = None
        if trouble is Trouble.WRONG_HOST:
            files = directory / "key.pem", directory / "certificate.pem"
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=other.example",
                "-addext", "subjectAltName=DNS:other.example",
                "-keyout", files[0], "-out", files[1])  # fmt: skip
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(files[1], files[0])

    @property
    def host(self) -> str:
        """The host that clients are told to ask."""
        # RFC 6761: no name server knows this name.
        name = "no-such-host.invalid" if self.trouble is Trouble.NO_NAME else "127.0.0.1"
        return f"{name}:{self.port}"

    @property
    def url(self) -> str:
        """The address of the server."""
        # pip asks only hosts of the loopback network without TLS.
        secure = self._tls or self.trouble is Trouble.NO_NAME
        return f"{'https' if secure else 'http'}://{self.host}"

    def __enter__(self) -> Self:
        """Listen, unless nobody is to listen."""
        if self.trouble not in (Trouble.REFUSED, Trouble.NO_NAME):
            self._server = _Server(self, self._tls)
            threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        self.stopping.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: Misbehaving, tls: ssl.SSLContext | None) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", owner.port), _Handler)
        if tls:
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def handle_error(self, request: object, client_address: object) -> None:
        """Do not report clients that have closed the connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        self._answer()

    def do_POST(self) -> None:
        """Answer."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer."""
        self._answer()

    def _answer(self) -> None:
        assert isinstance(self.server, _Server)
        self.close_connection = True
        owner = self.server.owner
        if (page := owner.pages.get(self.path)) is not None:
            self._send(200, page)
        elif owner.trouble is Trouble.HANG:
            owner.stopping.wait()
        elif owner.trouble is Trouble.TRUNCATED:
            self._send(200, PORTAL, len(PORTAL) + 10_000)
        elif owner.trouble is Trouble.PORTAL:
            self._send(200, PORTAL)
        elif owner.trouble.value.isdigit():
            self._send(int(owner.trouble.value), b"No.\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        """Keep the test's output quiet."""

    def _send(self, status: int, content: bytes, length: int | None = None) -> None:
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="private"')
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(content) if length is None else length))
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
