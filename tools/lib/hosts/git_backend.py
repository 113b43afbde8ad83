"""Answers HTTP requests with Git's own CGI program, `git http-backend`."""

import contextlib
import gzip
import socket
import struct
import subprocess
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from tools.lib.hosts.commands import CLEAN_ENVIRONMENT

_CHUNK = 1 << 16
# With this option, close sends a reset instead of a normal end.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Handler(BaseHTTPRequestHandler):
    """Reads requests and passes them to `respond`; has several ways to answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a request without a body."""
        self._handle(b"")

    def do_POST(self) -> None:
        """Answer a request with a body, which Git sends whole, compressed or in chunks."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = self._read_chunks()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.headers.get("Content-Encoding", "") in ("gzip", "x-gzip"):
            body = gzip.decompress(body)
        self._handle(body)

    def respond(self, body: bytes) -> None:
        """Answer; subclasses implement this."""
        raise NotImplementedError

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        """Keep the test's output quiet; the server records requests itself."""

    def send_text(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        """Answer with a line of text."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def reset_connection(self) -> None:
        """Make the client's read fail with "connection reset by peer"."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        # Closed before http.server ends the connection normally.
        self.connection.close()

    def run_backend(self, repositories: Path, body: bytes, half: bool = False) -> None:
        """Answer as Git does; with `half`, stop in the middle of the answer."""
        with subprocess.Popen(
            ("/usr/bin/git", "http-backend"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._cgi_environment(repositories, len(body)),
        ) as backend:
            if backend.stdin is None or backend.stdout is None:
                raise AssertionError("the backend was started without pipes")
            # It reads the whole request before it answers.
            with contextlib.suppress(BrokenPipeError):
                backend.stdin.write(body)
                backend.stdin.close()
            self._send_head(backend.stdout)
            if half:
                content = backend.stdout.read()
                self.wfile.write(content[: len(content) // 2])
                return
            with contextlib.suppress(ConnectionError):
                while content := backend.stdout.read(_CHUNK):
                    self.wfile.write(content)

    def _handle(self, body: bytes) -> None:
        # If a client gives up, that is not an error of the server.
        with contextlib.suppress(ConnectionError):
            self.respond(body)

    def _cgi_environment(self, repositories: Path, length: int) -> dict[str, str]:
        split = urlsplit(self.path)
        return {
            **CLEAN_ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(repositories),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": split.path,
            "QUERY_STRING": split.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "REMOTE_ADDR": self.client_address[0],
        }

    def _send_head(self, answer: IO[bytes]) -> None:
        status, headers = 200, []
        while line := answer.readline().decode().strip():
            name, value = line.split(":", 1)
            if name.lower() == "status":
                status = int(value.split()[0])
            else:
                headers.append((name, value.strip()))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        # Its length is not known: the answer ends with the connection.
        self.send_header("Connection", "close")
        self.end_headers()

    def _read_chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)
