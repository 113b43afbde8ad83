"""The words of programs in trouble; all of them are from real runs."""

import os
from pathlib import Path

import pytest

from autoupdate.model.errors import DependenciesFailedError, UnreachableError
from autoupdate.worker.packages.installer import fault
from autoupdate.worker.packages.trouble import find, hidden_words

RETRIED = (
    "WARNING: Retrying (Retry(total=4, connect=None)) after connection broken by"
    " 'NewConnectionError(\"HTTPConnection(host='a.example', port=80): Failed to establish a new"
    " connection: [Errno 111] Connection refused\")': /simple/thing/\n"
)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            "fatal: unable to access 'https://git.example/x.git/': Failed to connect to"
            " proxy.example port 3128 after 0 ms: Couldn't connect to server",
            "proxy.example:3128 refused the connection",
        ),
        (
            "fatal: unable to access 'https://git.example/x.git/': Could not resolve proxy: px",
            "px is unknown: its name has no address",
        ),
        (
            "fatal: unable to access 'https://git.example/x.git/': CONNECT tunnel failed,"
            " response 407",
            "git.example says that the proxy needs a login (407)",
        ),
        (
            # As curl of Debian 13 says it; the next one, too.
            "fatal: unable to access 'https://git.example/x.git/': end of response with 10000"
            " bytes missing",
            "git.example ended the connection in the middle",
        ),
        (
            "fatal: unable to access 'https://git.example/x.git/': server verification failed:"
            " certificate signer not trusted. (CAfile: /etc/ssl/x.crt CRLfile: none)",
            "git.example has a TLS certificate that is not accepted",
        ),
        (
            "ssh: connect to host git.example port 22: Connection timed out\n"
            "fatal: Could not read from remote repository.",
            "git.example:22 did not answer in time",
        ),
        (
            "git@git.example: Permission denied (publickey).\n"
            "fatal: Could not read from remote repository.",
            "git.example needs a login",
        ),
        (
            "  Running command git clone --quiet ssh://git@git.example/x.git /tmp/x\n"
            "  Host key verification failed.\n"
            "  fatal: Could not read from remote repository.",
            "git.example has an SSH host key that is not known",
        ),
        (
            "kex_exchange_identification: Connection closed by remote host\n"
            "Connection closed by 127.0.0.1 port 39619\n"
            "fatal: Could not read from remote repository.",
            "127.0.0.1:39619 ended the connection in the middle",
        ),
        (
            "error: Failed to fetch: https://user:secret@a.example/simple/x/\n"
            "  cause: client error (Connect)\n  cause: received corrupt message",
            "a.example speaks no TLS that is understood",
        ),
        (
            f"{RETRIED}ERROR: No matching distribution found for thing",
            "a.example:80 refused the connection",
        ),
        ("urllib.error.HTTPError: HTTP Error 503: Service Unavailable", "a server that the build"),
    ],
)
def test_trouble_is_found(output: str, expected: str) -> None:
    error = fault(1, output, DependenciesFailedError)
    assert type(error) is UnreachableError
    assert error.message.startswith(expected), error.message
    assert "secret" not in error.message


@pytest.mark.parametrize(
    "output",
    [
        # The second try succeeded, and then something else failed.
        f"{RETRIED}error: command 'gcc' failed with exit code 1",
        "fatal: '/x.git' does not appear to be a git repository\n"
        "fatal: Could not read from remote repository.",
        "fatal: repository 'https://git.example/x.git/' not found",
        "ERROR: HTTP error 404 while getting https://a.example/x.whl",
        "Could not fetch URL https://a.example/simple/x/: 404 Client Error: Not Found for url:"
        " https://a.example/simple/x/ - skipping\nERROR: No matching distribution found for x",
        "  cause: Failed to resolve requirements from `build-system.requires`",
        "ERROR: ResolutionImpossible: for help visit https://pip.example/topics/",
        "SystemExit: 503 things are wrong",
        "",
    ],
)
def test_commit_is_to_blame(output: str) -> None:
    assert find(output) is None
    assert type(fault(1, output, DependenciesFailedError)) is DependenciesFailedError


def test_index_is_named_where_the_words_name_none() -> None:
    said = "  cause: Because there are no versions of thing and you require thing, we can conclude"
    found = find(said, ["https://user:secret@a.example:8443/simple"])
    assert found is not None
    assert found.server == "a.example:8443"


LOG = """\
2026-11-28T23:00:50,686 Fetched page http://a.example/simple/good/ as text/html
2026-11-28T23:00:50,687   Found link http://a.example/good-1.whl (from http://a.example), version: 1
2026-11-28T23:00:50,687 Given no hashes to check 0 links for project 'good': discarding none
2026-11-28T23:00:50,688 Could not fetch URL http://a.example/simple/x/: 403 Client Error - skipping
2026-11-28T23:00:50,689 Fetched page http://a.example/simple/thing/ as text/html
2026-11-28T23:00:50,690 Skipping link: not a file: http://a.example/login
2026-11-28T23:00:50,691 Given no hashes to check 0 links for project 'thing': discarding none
"""


def test_log_of_pip(tmp_path: Path) -> None:
    log = tmp_path / "pip.log"
    log.write_text(LOG)
    assert hidden_words(str(log)) == [
        "Could not fetch URL http://a.example/simple/x/: 403 Client Error - skipping",
        "page without files: http://a.example/simple/thing/",
    ]


@pytest.mark.parametrize("kind", ["missing", "pipe", "link", "directory"])
def test_log_that_a_build_replaced(tmp_path: Path, kind: str) -> None:
    """It is in a place where the build can write; reading it must not hang."""
    log = tmp_path / "pip.log"
    if kind == "pipe":
        os.mkfifo(log)
    elif kind == "link":
        log.symlink_to("/dev/zero")
    elif kind == "directory":
        log.mkdir()
    assert hidden_words(str(log)) == []
