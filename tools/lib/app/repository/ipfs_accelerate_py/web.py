"""The pages that both web services have."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .about import about


class Pages(BaseHTTPRequestHandler):
    """`/health`: what runs here. `/late`: the same, from a module that is imported only now."""

    def do_GET(self) -> None:
        """Answer a request."""
        if self.path == "/health":
            facts = about()
            self.answer(200 if facts["healthy"] else 500, facts)
        elif self.path == "/late":
            from .late import LATE_VERSION

            self.answer(200, {"version": LATE_VERSION})
        else:
            self.answer(404, {"error": "no such page"})

    def answer(self, status: int, facts: dict[str, object]) -> None:
        """Send JSON."""
        body = json.dumps(facts).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def listen(port: int) -> ThreadingHTTPServer:
    """Take the port."""
    return ThreadingHTTPServer(("127.0.0.1", port), Pages)
