"""Credentials for upstream: only upstream gets them, and they are found nowhere else."""

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from tests.integration.site import Site
from tools.lib.hosts.git_server import GitServer

# Characters that a URL cannot contain, and that a shell would interpret.
CANARY = "canary-7f3a/@:%$'x"


@pytest.fixture
def locked(quick: Site) -> Iterator[Site]:
    """Return a host with version 1, whose upstream requires a password now."""
    quick.upstream.commit(version=2)
    quick.server.login = f"robot:{CANARY}"
    yield quick
    quick.server.login = ""


def write_token(site: Site, content: str = CANARY + "\n", mode: int = 0o600) -> str:
    """Write the administrator's file."""
    file = site.directory / "token"
    file.write_text(content)
    file.chmod(mode)
    return str(file)


@contextmanager
def watching(seen: set[bytes]) -> Iterator[None]:
    """Collect the command lines of all processes during the block."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            for name in filter(str.isdecimal, os.listdir("/proc")):
                try:
                    seen.add(Path(f"/proc/{name}/cmdline").read_bytes())
                except (FileNotFoundError, ProcessLookupError):
                    continue
            time.sleep(0.001)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def assert_nowhere(site: Site, seen: set[bytes]) -> None:
    """Check that the secret is in nothing that a run leaves or shows."""
    secrets = {CANARY.encode(), quote(CANARY, "").encode(), b"canary-7f3a"}
    everywhere = [path for path in site.root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(everywhere) > 20
    for path in everywhere:
        if path != Path(site.paths.etc, "apps/demo.toml"):
            content = path.read_bytes()
            assert not any(secret in content for secret in secrets), path
    told = "\n".join([*map(repr, site.log.events), *site.output]).encode()
    assert not any(secret in told for secret in secrets)
    assert any(b"git-remote-http" in line for line in seen), "the watch saw nothing"
    assert any(b"fetch" in line for line in seen)
    for line in seen:
        assert not any(secret in line for secret in secrets), line
    assert not list(Path(site.app_paths.run).glob("access-*"))


def test_token_file(locked: Site) -> None:
    seen: set[bytes] = set()
    locked.configure(upstream__token_file=write_token(locked), upstream__username="robot")
    with watching(seen):
        assert locked.run().result is Result.UPDATED
    assert set(locked.server.logins) == {locked.server.login}
    assert_nowhere(locked, seen)
    # Read again each time: a token may be replaced at any time.
    locked.server.login = "robot:new"
    locked.upstream.commit(version=3)
    assert locked.run().exit_code == Exit.UNREACHABLE
    write_token(locked, "new")
    assert locked.run(force=True).result is Result.UPDATED


def test_wrong_token_is_reported_without_it(locked: Site) -> None:
    seen: set[bytes] = set()
    locked.configure(upstream__token_file=write_token(locked), upstream__username="somebody")
    with watching(seen):
        outcome = locked.run()
    assert outcome.exit_code == Exit.UNREACHABLE
    assert "canary" not in repr(outcome)
    assert "Authentication failed" in outcome.reason or "could not read" in outcome.reason


def test_secrets_in_the_url(locked: Site) -> None:
    seen: set[bytes] = set()
    secret = f"robot:{quote(CANARY, '')}@"
    locked.configure(upstream__url=locked.upstream.url.replace("://", f"://{secret}"))
    with watching(seen):
        assert locked.run().result is Result.UPDATED
    assert_nowhere(locked, seen)


def test_token_goes_to_its_host_alone(locked: Site) -> None:
    """Not to the target of a redirection; another port is another host."""
    locked.configure(upstream__token_file=write_token(locked), upstream__username="robot")
    with GitServer(locked.server.directory) as other:
        other.login = locked.server.login
        locked.server.redirect = other.url("").partition("/.git")[0]
        assert locked.run().exit_code == Exit.UNREACHABLE
        assert other.requests
        assert other.logins == []


@pytest.mark.parametrize(
    ("content", "mode", "said", "advice"),
    [
        (CANARY, 0o644, "upstream.token_file: others may read ", "chmod 600 "),
        (CANARY, 0o620, "upstream.token_file: others may read ", "chmod 600 "),
        ("\n", 0o600, "is empty", ""),
        (None, 0, "No such file", ""),
    ],
)
def test_files_that_are_refused(
    locked: Site, content: str | None, mode: int, said: str, advice: str
) -> None:
    file = write_token(locked, content or "", mode)
    if content is None:
        os.unlink(file)
    locked.configure(upstream__token_file=file)
    outcome = locked.run()
    assert outcome.exit_code == Exit.USAGE
    assert said in outcome.reason
    assert outcome.advice.startswith(advice)
    assert locked.server.logins == []


def test_credential_of_systemd(locked: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    write_token(locked)
    locked.configure(upstream__token_file="credential:token", upstream__username="robot")
    outcome = locked.run()
    assert outcome.exit_code == Exit.USAGE
    assert re.search(r"exists only in the unit", outcome.reason)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(locked.directory))
    assert locked.run().result is Result.UPDATED


def test_what_a_killed_run_lent_is_removed_by_the_next(locked: Site) -> None:
    left = Path(locked.app_paths.run, "access-999999999")
    left.mkdir(parents=True)
    (left / "token").write_text(CANARY)
    locked.configure(upstream__token_file=write_token(locked), upstream__username="robot")
    assert locked.run().result is Result.UPDATED
    assert not left.exists()
