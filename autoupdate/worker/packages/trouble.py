"""The words by which a failed build tells of trouble with a server or with the way to it.

They are those of git, curl, OpenSSH, TLS libraries, pip and uv, taken from real runs against
servers that misbehave (tests/integration/test_trouble.py). No commit is to blame for any of it.
What a server that works answers, such as 404 or "no such version", is not in the list.
"""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from autoupdate.upstream.git_environment import redact

LOGIN = "needs a login"


class Kind(NamedTuple):
    """A kind of trouble: what the server did, in our words, and the words of the programs."""

    what: str
    words: "re.Pattern[str]"


class Trouble(NamedTuple):
    """Trouble that was found: the server (empty: unknown), what it did, and who says so."""

    server: str
    what: str
    line: str

    @property
    def needs_login(self) -> bool:
        """Whether the server asks who it is."""
        return self.what == LOGIN

    def __str__(self) -> str:
        """Return the reason for a person."""
        return f"{self.server or 'a server that the build needs'} {self.what}: {self.line[:300]}"


def _kind(what: str, *words: str) -> Kind:
    return Kind(what, re.compile("|".join(words)))


def _status(numbers: str) -> tuple[str, ...]:
    """Return the words for a status of HTTP: of git and curl, pip, uv, and Python's own library."""
    return (
        rf"returned error: {numbers}\b",
        rf"HTTP error {numbers}\b",
        rf": {numbers} (?:Client|Server) Error",
        rf"too many {numbers} error responses",
        rf"HTTP status (?:client|server) error \({numbers}\b",
        rf"returned an? {numbers}\b",
        rf"\({numbers} [A-Z][a-z]+\)",
        rf"HTTP Error {numbers}:",
        rf"HTTP code {numbers} from proxy|CONNECT tunnel failed, response {numbers}",
    )


# The first kind whose words a line has is taken.
KINDS = (
    # The proxy answers in place of the server.
    _kind("says that the proxy needs a login (407)", *_status("407")),
    _kind(LOGIN, *_status("401"), "could not read (?:Username|Password) for",
          "Authentication failed for", r"Permission denied \([a-z,-]*(?:publickey|password)"),
    _kind("refuses access (403)", *_status("403")),
    _kind("asks for fewer requests (429)", *_status("429")),
    _kind("answered with an error of its own", *_status(r"(?:408|425|5\d\d)")),
    # curl, pip, uv and ssh have the words of getaddrinfo(3), or their own.
    _kind("is unknown: its name has no address", "Could not resolve(?: host| hostname| proxy)?\\b",
          "dns error", "NameResolutionError", "Failed to resolve IP address",
          "Name or service not known",
          "Temporary failure in name resolution", "No address associated with hostname"),
    # OpenSSL (pip), rustls (uv), GnuTLS and OpenSSL as curl reports them (git).
    _kind("has a TLS certificate that is not accepted", "CERTIFICATE_VERIFY_FAILED",
          "certificate verify failed", "server (?:certificate )?verification failed",
          "invalid peer certificate", "SSL certificate problem", "SSL: no alternative certificate",
          "confirming the ssl certificate", "certificate subject name"),
    _kind("has an SSH host key that is not known", "Host key verification failed",
          "REMOTE HOST IDENTIFICATION HAS CHANGED"),
    _kind("speaks no TLS that is understood", "SSLError", "gnutls_handshake", "TLS connect error",
          "SSL routines", "received corrupt message", "SSL_ERROR", "SSL_connect"),
    _kind("refused the connection", "Connection refused", "Could(?:n't| not) connect to server"),
    _kind("cannot be reached", "No route to host", "[Nn]etwork is unreachable",
          "[Nn]etwork is down", "NewConnectionError", "ProxyError", "client error \\(Connect\\)"),
    _kind("did not answer in time", "operation timed out", "[Cc]onnection timed out",
          "Operation timed out", "Connection to .* timed out", "[Rr]ead timed out",
          "didn't respond within", "Operation too slow", "Timeout was reached",
          "ConnectTimeoutError", "ReadTimeoutError"),
    # A hotspot or a proxy answers with a page of its own.
    _kind("answered with something else than a repository", "not valid: is this a git repository",
          "not valid: could not determine hash algorithm"),
    _kind("answered with a page that has no packages", "page without files:",
          r"there are no versions of \S+ and"),
    _kind("sent something else than a package", r"Wheel '.*' located at .* is invalid",
          "Failed to read from zip file", "BadZipFile", "invalid package format"),
    _kind("ended the connection in the middle", "IncompleteRead", "Connection broken",
          "incomplete-download", "Connection reset", "Connection aborted", "RemoteDisconnected",
          "Recv failure", "Empty reply from server", "transfer closed with", "early EOF",
          r"end of response with \d+ bytes missing",
          "unexpected disconnect", "hung up unexpectedly", "kex_exchange_identification",
          "Connection closed by", "closed without a reply", "not enough bytes were received",
          "end of file before message length", "RPC failed",
          "error decoding response body", "connection closed before message completed",
          "error sending request", "unexpected EOF", "ProtocolError"),
)  # fmt: skip

# pip goes on after these; they count only if it then found no version of something.
SKIPPED = re.compile(r"WARNING: Retrying \(|Could not fetch URL|page without files:")
NOT_FOUND = re.compile(r"No matching distribution found|ResolutionImpossible|No solution found")

URL = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/\s'\"`@]*@)?([^/\s'\"`<>()@,;]+)")
# What names the server that did it, which may be a proxy and not that of the URL.
SERVERS = (
    re.compile(r"(?:Failed to connect to|connect to host|Connection (?:closed|reset) by|"
               r"Connection to) (?P<host>\S+?),? port (?P<port>\d+)"),
    re.compile(r"host='(?P<host>[^']+)', port=(?P<port>\d+)"),
    re.compile(r"Could not resolve(?: host| hostname| proxy)?:? (?P<host>[^\s:;]+)"),
    re.compile(r"\S+@(?P<host>[^\s:]+): Permission denied"),
)  # fmt: skip
# How many lines away from the words the URL may be.
NEAR = 12
# Limit for what is read of pip's own log, in bytes.
MOST_LOG = 16 << 20


def find(output: str, indexes: Sequence[str] = ()) -> Trouble | None:
    """Return the trouble that a failed command tells of last, or None.

    `indexes` are the URLs of package indexes, for words that name no server.
    """
    lines = redact(output).splitlines()
    not_found = bool(NOT_FOUND.search(output))
    for number in range(len(lines) - 1, -1, -1):
        line = lines[number]
        if SKIPPED.search(line) and not not_found:
            continue
        for kind in KINDS:
            if kind.words.search(line):
                server = _server(lines, number) or ", ".join(_hosts(indexes))
                return Trouble(server, kind.what, line.strip())
    return None


def _server(lines: Sequence[str], number: int) -> str:
    for pattern in SERVERS:
        if named := pattern.search(lines[number]):
            return ":".join(named.groups())
    before, after = lines[max(0, number - NEAR) : number + 1], lines[number + 1 : number + NEAR]
    for line in [*reversed(before), *after]:
        # A file or a page for more help is no server.
        for host in _hosts([line]):
            return host
    return ""


def _hosts(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        for found in URL.finditer(text):
            if not found[0].startswith("file:"):
                yield found[1].rstrip(".:")


def hidden_words(log: str) -> list[str]:
    """Return what only pip's own log (pip(1), --log) says about pages that it could not use.

    The log is a file of the build: it may be anything.
    """
    said = []
    page = ""
    for line in _read(log).splitlines():
        line = line.partition(" ")[2].strip()
        if line.startswith("Fetched page "):
            page = line.split()[2]
        elif re.match(r"Found link |Skipping link: (?!not a file)", line):
            page = ""
        elif line.startswith("Could not fetch URL"):
            said.append(line)
        elif page and "check 0 links for project" in line:
            said.append(f"page without files: {page}")
            page = ""
    return said


def _read(file: str) -> str:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        os.close(descriptor)
        return ""
    with open(descriptor, "rb") as stream:
        stream.seek(max(0, facts.st_size - MOST_LOG))
        return stream.read(MOST_LOG).decode(errors="replace")
