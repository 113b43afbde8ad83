"""A package index on the loopback interface (PEP 503), which counts requests."""

import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Index:
    """Serves a directory of wheels; `with Index(directory) as index`."""

    def __init__(self, directory: Path) -> None:
        """Take a port; requests are answered after `start`."""
        self.requests: list[str] = []
        handler = partial(_Handler, self, directory)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/simple/"

    def start(self) -> None:
        """Answer requests."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering requests."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, index: Index, wheels: Path, *rest: object) -> None:
        self.index, self.wheels = index, wheels
        super().__init__(*rest, directory=str(wheels))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer with the page of a package, or with a file."""
        self.index.requests.append(self.path)
        name = re.fullmatch(r"/simple/([a-z0-9-]+)/", self.path)
        if name is None:
            super().do_GET()
            return
        prefix = name[1].replace("-", "_")
        files = sorted(file.name for file in self.wheels.glob(f"{prefix}-*.whl"))
        page = "".join(f'<a href="/{file}">{file}</a>\n' for file in files).encode()
        self.send_response(200 if files else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        """Keep the output of the measurements clean."""
