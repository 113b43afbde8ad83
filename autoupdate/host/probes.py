"""Probes of the services' health: HTTP, TCP, and commands in the release."""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from autoupdate.config.sections import Probe
from autoupdate.host.process import Identity, NotStartedError, TimedOutError, base_environment, run

# At most this much of a page is read, in bytes.
LONGEST_BODY = 1_000_000


class Clock(Protocol):
    """Time that only goes forward, in seconds."""

    def monotonic(self) -> float:
        """Return the seconds since some fixed moment."""


class Probing:
    """One probe over some time: when it is due, whether it passed, how often it failed."""

    def __init__(self, probe: Probe, attempt: Callable[[Probe], str], clock: Clock) -> None:
        self.probe = probe
        self.attempt = attempt
        self.clock = clock
        self.begin()

    def begin(self) -> None:
        """Start over, as after a start of the service."""
        self.due = self.clock.monotonic()
        self.counts_from = self.due + self.probe.grace
        self.passed = False
        self.failures = 0

    def look(self) -> str:
        """Try the probe if it is due; return what was wrong if it has failed too often."""
        if self.clock.monotonic() < self.due:
            return ""
        seen = self.attempt(self.probe)
        now = self.clock.monotonic()
        self.due = now + self.probe.interval
        if not seen:
            self.passed, self.failures = True, 0
        elif self.passed or now >= self.counts_from:
            self.failures += 1
            if self.failures > self.probe.retries:
                return seen
        return ""


def describe(probe: Probe) -> str:
    """Return the name of a probe for messages."""
    target = {"http": probe.url, "tcp": probe.address, "command": " ".join(probe.command)}
    owner = f" of {probe.service}" if probe.service else ""
    return f"probe {target[probe.type]}{owner}"


def attempt(probe: Probe, release: str, user: Identity | None) -> str:
    """Try a probe once; return what was wrong, or nothing when all is well."""
    if probe.type == "tcp":
        return _tcp(probe)
    return _http(probe) if probe.type == "http" else _command(probe, release, user)


def _tcp(probe: Probe) -> str:
    import socket

    host, _, port = probe.address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), probe.timeout).close()
    except (OSError, UnicodeError) as error:
        # UnicodeError: a host name that cannot be encoded for DNS; it has no strerror.
        return f"no connection: {getattr(error, 'strerror', '') or error}"
    return ""


def _http(probe: Probe) -> str:
    import http.client

    deadline = time.monotonic() + probe.timeout
    try:
        status, text = _get(probe)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, TimeoutError) or time.monotonic() >= deadline:
            return f"no answer within {probe.timeout:g} s"
        return f"no answer: {error.args[-1] if error.args else error}"
    if status != probe.expect_status:
        return f"status {status}, not {probe.expect_status}: {_excerpt(text)}"
    if probe.expect_body and not re.search(probe.expect_body, text):
        return f"no {probe.expect_body!r} in the answer: {_excerpt(text)}"
    return ""


def _get(probe: Probe) -> tuple[int, str]:
    """Get a page; return its status and its beginning."""
    import http.client
    import socket
    import ssl
    import threading
    from urllib.parse import urlsplit

    parts = urlsplit(probe.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, probe.timeout)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        if not probe.verify_tls:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=probe.timeout, context=context
        )
    connection.connect()
    connected, late = connection.sock, threading.Event()

    def cut_off() -> None:
        late.set()
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    # The timeout of the socket is for each read; a slow server could exceed it many times.
    timer = threading.Timer(probe.timeout, cut_off)
    timer.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"User-Agent": "autoupdate"})
        answer = connection.getresponse()
        body = b""
        while len(body) < LONGEST_BODY and (chunk := answer.read1(65536)):
            body += chunk
        if late.is_set():
            raise TimeoutError
        return answer.status, body.decode(errors="replace")
    finally:
        timer.cancel()
        connection.close()


def _command(probe: Probe, release: str, user: Identity | None) -> str:
    words = [
        word.replace("{python}", f"{release}/.venv/bin/python").replace("{release}", release)
        for word in probe.command
    ]
    environment = base_environment(release)
    environment["PATH"] = f"{release}/.venv/bin:{environment['PATH']}"
    try:
        done = run(
            words, environment=environment, identity=user, directory=release, timeout=probe.timeout
        )
    except TimedOutError:
        return f"did not end within {probe.timeout:g} s"
    except NotStartedError as error:
        return str(error)
    if done.returncode:
        said = done.stderr or done.stdout.decode(errors="replace")
        return f"exit code {done.returncode}: {_excerpt(said)}"
    return ""


def _excerpt(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no output"
