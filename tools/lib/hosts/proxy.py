"""An HTTP proxy with a password on the loopback interface, for tunnels and forwarded requests."""

import base64
import http.client
import selectors
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tools.lib.hosts.ports import free_port

LIMIT = 30.0


class Proxy:
    """A proxy; `with Proxy("USER:PASSWORD") as proxy`. `asked` has the request lines."""

    def __init__(self, login: str = "") -> None:
        self.login = login
        self.port = free_port()
        self.asked: list[str] = []
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="proxy", daemon=True
        )

    def url(self, login: str = "") -> str:
        """Return the URL for clients."""
        return f"http://{login and f'{login}@'}127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Accept no more connections."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: Proxy) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", owner.port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        """Open a tunnel."""
        if not self._is_let_in():
            return
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port)), LIMIT) as server:
            self.send_response(200)
            self.end_headers()
            _pass_on(self.connection, server)
        self.close_connection = True

    def do_GET(self) -> None:
        """Send the request on for the client."""
        self._forward(b"")

    def do_HEAD(self) -> None:
        """Send the request on for the client."""
        self._forward(b"")

    def do_POST(self) -> None:
        """Send the request on for the client."""
        self._forward(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        """Keep the test's output quiet."""

    def _is_let_in(self) -> bool:
        if not isinstance(self.server, _Server):
            raise TypeError("this handler belongs to Proxy")
        owner = self.server.owner
        owner.asked.append(f"{self.command} {self.path}")
        known = f"Basic {base64.b64encode(owner.login.encode()).decode()}"
        if not owner.login or self.headers.get("Proxy-Authorization") == known:
            return True
        self.send_response(407)
        self.send_header("Proxy-Authenticate", 'Basic realm="Proxy"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def _forward(self, body: bytes) -> None:
        if not self._is_let_in():
            return
        parts = urlsplit(self.path)
        connection = http.client.HTTPConnection(parts.netloc, timeout=LIMIT)
        passed_on = {
            name: value for name, value in self.headers.items()
            if not name.lower().startswith(("proxy-", "host", "connection"))
        }  # fmt: skip
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(self.command, path, body, passed_on)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.send_response(answer.status)
        for name in ("Content-Type", "WWW-Authenticate"):
            if value := answer.headers.get(name):
                self.send_header(name, value)
        length = answer.headers.get("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _pass_on(client: socket.socket, server: socket.socket) -> None:
    """Copy bytes in both directions until one side is done."""
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ, server)
        selector.register(server, selectors.EVENT_READ, client)
        while True:
            for key, _ in selector.select():
                source, target = key.fileobj, key.data
                assert isinstance(source, socket.socket)
                content = source.recv(1 << 16)
                if not content:
                    return
                target.sendall(content)
