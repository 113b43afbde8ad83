"""Probes of the services' health: HTTP, TCP, and commands in the release."""

import re
import time

from autoupdate.run import Identity, NotStartedError, TimedOutError, base_environment, run
from autoupdate.settings import Probe

# More of a page than this is not looked at.
LONGEST_BODY = 1_000_000


def describe(probe: Probe) -> str:
    """Return what is probed, as messages name it."""
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
    except OSError as error:
        return f"no connection: {error.strerror or error}"
    return ""


def _http(probe: Probe) -> str:
    import http.client
    import ssl
    from urllib.parse import urlsplit

    parts = urlsplit(probe.url)
    deadline = time.monotonic() + probe.timeout
    if parts.scheme == "https":
        context = ssl.create_default_context()
        if not probe.verify_tls:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=probe.timeout, context=context
        )
    else:
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=probe.timeout
        )
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"User-Agent": "autoupdate"})
        answer = connection.getresponse()
        body = b""
        # The limit of the socket is for each piece; a page that drips must not hold us up.
        while chunk := answer.read1(65536):
            body += chunk
            if time.monotonic() > deadline:
                return f"no whole answer within {probe.timeout:g} s"
            if len(body) > LONGEST_BODY:
                break
    except TimeoutError:
        return f"no answer within {probe.timeout:g} s"
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error.args[-1] if error.args else error}"
    finally:
        connection.close()
    text = body.decode(errors="replace")
    if answer.status != probe.expect_status:
        return f"status {answer.status}, not {probe.expect_status}: {_excerpt(text)}"
    if probe.expect_body and not re.search(probe.expect_body, text):
        return f"no {probe.expect_body!r} in the answer: {_excerpt(text)}"
    return ""


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
