"""Package indexes on the loopback interface, for tests of real installers."""

import base64
import functools
import http.server
import shutil
import ssl
import threading
import time
import zipfile
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import IO, Self

from tools.lib.hosts.commands import run
from tools.lib.hosts.ports import free_port

# So that servers which hang are given up soon.
QUICK = {
    "PIP_TIMEOUT": "1", "PIP_RETRIES": "1", "UV_HTTP_TIMEOUT": "1", "UV_HTTP_RETRIES": "0",
    "GIT_HTTP_LOW_SPEED_TIME": "1",
}  # fmt: skip


class Good:
    """An index that works, and projects whose builds fail."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.login = ""
        """USER:PASSWORD that every request must send; empty: none."""
        self.tls: ssl.SSLContext | None = None
        """For HTTPS from the next start on; None: HTTP."""
        self.dripping = threading.Event()
        self._server: http.server.ThreadingHTTPServer | None = None
        self.wheel("thing", "1.0")
        self.wheel("thing", "0.5")
        self.wheel("other", "1.0", "thing<1")
        self.wheel("pre", "1.0a1")
        project = '[build-system]\nrequires = ["{}"]\nbuild-backend = "x"\n[project]\nname = "q"\n'
        self.file("needs-missing/pyproject.toml", project.format("missing") + 'version = "1"\n')
        self.file("invalid/pyproject.toml", "[project\n")
        self.file("requirements.txt", "thing ==== 2\n")
        self.file("simple/windows/windows-1.0-cp311-cp311-win_amd64.whl", "x")
        self.file("simple/broken/index.html", '<a href="broken-1.0.tar.gz">broken-1.0.tar.gz</a>')
        self.file("broken-1.0/setup.py", "raise SystemExit('503: refused by its author')\n")
        self.file("broken-1.0/PKG-INFO", "Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
        run("tar", "-czf", directory / "simple/broken/broken-1.0.tar.gz", "-C", directory,
            "broken-1.0")  # fmt: skip

    def __enter__(self) -> Self:
        """Listen."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self.stop()

    def start(self) -> None:
        """Listen."""
        self.dripping.clear()
        handler = functools.partial(Quiet, directory=str(self.directory))
        self._server = Serving(self, handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self.dripping.clear()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def drip(self) -> None:
        """Send one byte in a long time, from now on."""
        self.dripping.set()

    def file(self, path: str, text: str) -> None:
        """Write a file."""
        (self.directory / path).parent.mkdir(parents=True, exist_ok=True)
        (self.directory / path).write_text(text)

    def wheel(self, name: str, version: str, *requirements: str) -> None:
        """Make a package without content."""
        place = self.directory / "simple" / name
        place.mkdir(parents=True, exist_ok=True)
        needs = "".join(f"Requires-Dist: {words}\n" for words in requirements)
        info = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(place / f"{name}-{version}-py3-none-any.whl", "w") as file:
            about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
            file.writestr(f"{info}/METADATA", about)
            file.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            file.writestr(f"{info}/RECORD", "")


class Serving(http.server.ThreadingHTTPServer):
    """The server of an index."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, index: Good, handler: Callable[..., "Quiet"]) -> None:
        self.index = index
        super().__init__(("127.0.0.1", index.port), handler)
        if index.tls:
            # The thread of the connection does the handshake.
            self.socket = index.tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def handle_error(self, request: object, client_address: object) -> None:
        """Do not report clients that have closed the connection."""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, without a log."""

    def do_GET(self) -> None:
        """Answer a request, if the login is right."""
        assert isinstance(self.server, Serving)
        login = self.server.index.login
        given = self.headers.get("Authorization", "")
        if not login or given == f"Basic {base64.b64encode(login.encode()).decode()}":
            super().do_GET()
            return
        self.send_response(HTTPStatus.UNAUTHORIZED)
        self.send_header("WWW-Authenticate", 'Basic realm="index"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def copyfile(self, source: IO[bytes], outputfile: IO[bytes]) -> None:  # type: ignore[override]
        """Send a file."""
        assert isinstance(self.server, Serving)
        while self.server.index.dripping.is_set() and (byte := source.read(1)):
            outputfile.write(byte)
            outputfile.flush()
            time.sleep(0.2)
        shutil.copyfileobj(source, outputfile)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        """Keep the test's output quiet."""
