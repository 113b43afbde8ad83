"""Servers that receive notifications: one by mail, one by HTTP POST."""

import email
import email.policy
import json
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

from tools.lib.hosts.ports import free_port


class MailServer:
    """An SMTP server that can be stopped."""

    def __init__(self) -> None:
        self.port = free_port()
        self.controller: Any = None
        self.received: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Receive one mail."""
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        return "250 OK"

    def start(self) -> None:
        """Accept mail."""
        # Debian's package python3-aiosmtpd, which only tests of mail need.
        from aiosmtpd.controller import Controller

        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    def stop(self) -> None:
        """Refuse connections."""
        self.controller.stop()

    def subjects(self) -> list[str]:
        """Return the subjects of all mails, in order."""
        return [str(message["Subject"]) for message in self.received]


class WebServer:
    """Receives POST requests; its mood is the status code that it answers with."""

    def __init__(self) -> None:
        self.status = 200
        self.received: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.status == 200:
                    outer.received.append({**json.loads(body), "path": self.path})
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                """Keep the test's output quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def events(self) -> list[str]:
        """Return the events that it has received, in order."""
        return [str(item["title"]).rpartition(": ")[2] for item in self.received]
