"""A Git server over HTTP on the loopback interface, which can misbehave on request.

It runs Git's own `git http-backend`, so that clients use the real protocol, also version 2.
"""

import base64
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from tools.lib.hosts import endless, lfs
from tools.lib.hosts.git_backend import Handler
from tools.lib.hosts.ports import free_port


class Mode(Enum):
    """How the server answers."""

    GOOD = "as Git does"
    NOT_FOUND = "404"
    UNAUTHORIZED = "401"
    SERVER_ERROR = "500"
    GARBAGE = "200 and a page of several lines"
    GARBAGE_LINE = "200 and a page of one line, which Git takes for a repository without branches"
    HANG = "takes the request and never answers"
    RESET = "resets the connection"
    ENDLESS_REFS = "answers a check with ever more branches"
    ENDLESS_PACK = "answers a fetch with a pack that does not end"
    ENDLESS_CHATTER = "answers a fetch with words that do not end"
    HALF_PACK = "sends half of a pack, then closes the connection; checks are answered"


# The command of a client that gets an endless answer.
ENDLESS = {
    (Mode.ENDLESS_REFS, "ls-refs"): endless.refs,
    (Mode.ENDLESS_PACK, "fetch"): endless.pack,
    (Mode.ENDLESS_CHATTER, "fetch"): endless.chatter,
}


@dataclass(frozen=True)
class Request:
    """One request of a client."""

    time: float
    method: str
    path: str
    service: str
    """`git-upload-pack` or `git-receive-pack`; empty for anything else."""
    command: str
    """In protocol 2: `ls-refs` or `fetch`; empty for the first request of a client."""
    protocol: str
    """The client's Git-Protocol header, such as `version=2`."""
    prefixes: tuple[str, ...] = ()
    """For `ls-refs`: the prefixes of the requested refs; empty for all."""


class GitServer:
    """Serves every repository `NAME.git` in a directory; `with GitServer(directory) as server`."""

    def __init__(self, directory: Path) -> None:
        """Take a port; `start` listens on it."""
        self.directory = directory
        self.mode = Mode.GOOD
        self.port = free_port()
        self.requests: list[Request] = []
        self.login = ""
        """USER:PASSWORD that every request must send; empty: none."""
        self.tls: ssl.SSLContext | None = None
        """For HTTPS from the next start on; None: HTTP."""
        self.lfs: dict[str, bytes] = {}
        """The objects of Git LFS, by their names."""
        self.lfs_silence = 0.0
        """Seconds without a byte before each answer about them."""
        self.silence = 0.0
        """Seconds without a byte before the answer to a fetch, as when a server packs slowly."""
        self.redirect = ""
        """The server that requests are redirected to; empty: none."""
        self.logins: list[str] = []
        """The credentials that requests have sent so far."""
        self._stopping = threading.Event()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def url(self, repository: str) -> str:
        """Return the address to clone from."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}/{repository}.git"

    def checks(self) -> list[Request]:
        """Return the first requests of clients: one for each check or fetch."""
        return [request for request in self.requests if request.path.endswith("/info/refs")]

    def fetches(self) -> list[Request]:
        """Return the requests that asked for objects."""
        return [request for request in self.requests if request.command == "fetch"]

    def forget(self) -> None:
        """Empty the list of requests."""
        self.requests.clear()

    def start(self) -> None:
        """Listen; after a `stop`, on the same port again."""
        if self._server is not None:
            return
        self._stopping.clear()
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="git server", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Refuse new connections, and close those that hang."""
        if self._server is None or self._thread is None:
            return
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server, self._thread = None, None

    def __enter__(self) -> Self:
        """Listen."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, owner: GitServer) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", owner.port), _Misbehaving)
        if owner.tls:
            # The thread of the connection does the handshake, not the one that accepts connections.
            self.socket = owner.tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """End a connection; with TLS by a close notification, as the client expects it."""
        if isinstance(request, ssl.SSLSocket):
            with suppress(OSError):
                request.unwrap()
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Do not report clients that have closed the connection."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Misbehaving(Handler):
    """Records each request, then answers according to the server's mode."""

    def respond(self, body: bytes) -> None:
        if not isinstance(self.server, _Server):
            raise TypeError("this handler belongs to GitServer")
        owner = self.server.owner
        owner.requests.append(self._describe(body))
        mode = owner.mode
        without_end = ENDLESS.get((mode, owner.requests[-1].command))
        if owner.redirect:
            self.send_text(302, "Over there", {"Location": f"{owner.redirect}{self.path}"})
        elif owner.login and not self._knows_login(owner):
            self.send_text(401, "Who are you?", {"WWW-Authenticate": 'Basic realm="Git"'})
        elif without_end:
            self._send_endless(without_end())
        elif mode is Mode.NOT_FOUND:
            self.send_text(404, "Not found")
        elif mode is Mode.UNAUTHORIZED:
            self.send_text(401, "Who are you?", {"WWW-Authenticate": 'Basic realm="Git"'})
        elif mode is Mode.SERVER_ERROR:
            self.send_text(500, "Something broke")
        elif mode is Mode.GARBAGE:
            self.send_text(200, "<html>\n<body>Please log in to this hotspot.</body>\n</html>\n")
        elif mode is Mode.GARBAGE_LINE:
            self.send_text(200, "<html><body>Please log in to this hotspot.</body></html>")
        elif mode is Mode.HANG:
            self._hang(owner)
        elif mode is Mode.RESET:
            self.reset_connection()
        elif "/info/lfs/" in self.path:
            owner._stopping.wait(owner.lfs_silence)
            lfs.answer(self, owner.lfs, body)
        else:
            if owner.requests[-1].command == "fetch":
                owner._stopping.wait(owner.silence)
            half = mode is Mode.HALF_PACK and owner.requests[-1].command == "fetch"
            self.run_backend(owner.directory, body, half)

    def _knows_login(self, owner: GitServer) -> bool:
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        if kind != "Basic":
            return False
        owner.logins.append(base64.b64decode(given).decode())
        return owner.logins[-1] == owner.login

    def _send_endless(self, pieces: Iterator[bytes]) -> None:
        self.send_response(200)
        request = self.path.rsplit("/", 1)[-1]
        self.send_header("Content-Type", f"application/x-{request}-result")
        self.send_header("Connection", "close")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)

    def _hang(self, owner: GitServer) -> None:
        # Ends when the server stops or the client closes the connection.
        self.connection.settimeout(0.1)
        while not owner._stopping.is_set() and owner.mode is Mode.HANG:
            try:
                if self.connection.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        self.close_connection = True

    def _describe(self, body: bytes) -> Request:
        split = urlsplit(self.path)
        asked = parse_qs(split.query).get("service", [""])[0]
        last = split.path.rsplit("/", 1)[-1]
        service = asked or (last if last in ("git-upload-pack", "git-receive-pack") else "")
        command = next((word for word in ("ls-refs", "fetch") if _asks(body, word)), "")
        protocol = self.headers.get("Git-Protocol", "")
        prefixes = tuple(re.findall(r"ref-prefix (\S+)", body.decode(errors="replace")))
        return Request(time.time(), self.command, split.path, service, command, protocol, prefixes)


def _asks(body: bytes, command: str) -> bool:
    return f"command={command}".encode() in body[:64]
