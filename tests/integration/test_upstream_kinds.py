"""Upstreams of other kinds: SHA-256, shallow, and a server that is silent while it packs."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from autoupdate.records.records import Records
from tests.integration.site import Site
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, run
from tools.lib.hosts.git_server import Mode

AUTHOR: Mapping[str, str] = {
    **CLEAN_ENVIRONMENT,
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.example",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b.example",
}  # fmt: skip


def commit(repository: Path) -> str:
    """Commit something; return the commit."""
    (repository / "file").write_text(os.urandom(8).hex())
    run("git", "-C", repository, "add", ".", environment=AUTHOR)
    run("git", "-C", repository, "commit", "--quiet", "--message=x", environment=AUTHOR)
    return run("git", "-C", repository, "rev-parse", "HEAD", environment=AUTHOR).stdout.strip()


def assert_nobody_is_blamed(site: Site) -> None:
    """Check that no commit is in quarantine."""
    records = Records(site.app_paths.state, read_only=True)
    assert records.quarantined() == []
    records.close()


@pytest.mark.parametrize("track", ["branch:main", "semver:>=1", "commit"])
def test_sha256_repository(quick: Site, track: str) -> None:
    source = quick.directory / "sha256"
    run("git", "init", "--quiet", "--initial-branch=main", "--object-format=sha256", source)
    made = commit(source)
    run("git", "-C", source, "tag", "v1.0", environment=AUTHOR)
    run("git", "clone", "--quiet", "--bare", source, quick.server.directory / "sha256.git")
    before = quick.current
    track = f"commit:{made}" if track == "commit" else track
    quick.configure(upstream__url=quick.server.url("sha256"), upstream__track=track)
    outcome = quick.run()
    assert (outcome.result, outcome.exit_code) == (Result.REFUSED, Exit.USAGE)
    assert f"upstream {quick.server.url('sha256')} is a SHA-256 repository" in outcome.reason
    assert "upstream.url" in outcome.advice
    assert quick.current == before
    assert_nobody_is_blamed(quick)


def test_repository_that_became_sha256_since_the_check(quick: Site) -> None:
    """The fetch says the same as the check."""
    source = quick.directory / "sha256"
    run("git", "init", "--quiet", "--initial-branch=main", "--object-format=sha256", source)
    commit(source)
    expected = quick.upstream.commit(version=2)
    run("rm", "-r", quick.upstream.bare)
    run("git", "clone", "--quiet", "--bare", source, quick.upstream.bare)
    quick.configure(upstream__track=f"commit:{expected}")
    outcome = quick.run()
    assert outcome.exit_code == Exit.USAGE, outcome
    assert "is a SHA-256 repository" in outcome.reason
    assert_nobody_is_blamed(quick)


@pytest.mark.parametrize("tags", [False, True])
def test_shallow_upstream(bare: Site, tags: bool) -> None:
    bare.upstream.commit(version=2)
    bare.upstream.commit(version=3)
    bare.upstream.tag("v3")
    shallow = bare.server.directory / "shallow.git"
    run("git", "clone", "--quiet", "--bare", "--depth=1", f"file://{bare.upstream.bare}", shallow)
    track = "tag:v*" if tags else "branch:main"
    bare.builds = False
    bare.configure(upstream__url=bare.server.url("shallow"), upstream__track=track)
    outcome = bare.run()
    assert outcome.exit_code == Exit.USAGE
    assert f"upstream {bare.server.url('shallow')} is a shallow clone" in outcome.reason
    assert "git fetch --unshallow" in outcome.advice
    assert bare.releases() == []
    assert_nobody_is_blamed(bare)
    run("git", "-C", shallow, "fetch", "--quiet", "--unshallow", environment=AUTHOR)
    assert bare.run(force=True).result is Result.UPDATED, "after what was advised"


def test_server_that_is_silent_for_long(bare: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first fetch waits as long as the whole fetch may take, however slowly bytes come."""
    monkeypatch.setattr("autoupdate.upstream.git_environment.CONFIGURATION",
                        {"http.lowSpeedLimit": "1000", "http.lowSpeedTime": "1"})  # fmt: skip
    bare.builds = False
    bare.server.silence = 4.0
    outcome = bare.run()
    assert outcome.result is Result.UPDATED, outcome


def test_reason_of_a_fetch_that_is_too_slow(quick: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """git's own reason is reported, not what it says about the protocol afterwards."""
    monkeypatch.setattr("autoupdate.worker.exchange.patient",
                        lambda found, _: {**found, "GIT_HTTP_LOW_SPEED_TIME": "1"})  # fmt: skip
    quick.upstream.commit(version=2)
    quick.server.silence = 6.0
    outcome = quick.run()
    assert outcome.exit_code == Exit.UNREACHABLE
    assert "Operation too slow" in outcome.reason
    assert quick.upstream.url in outcome.reason
    quick.server.silence = 0.0


def test_fetch_without_an_end_names_the_server(quick: Site) -> None:
    quick.configure(upstream__timeout="2s")
    made = quick.upstream.commit(version=2)
    quick.configure(upstream__timeout="2s", upstream__track=f"commit:{made}")
    quick.server.mode = Mode.HANG
    outcome = quick.run()
    assert outcome.exit_code == Exit.UNREACHABLE
    assert quick.upstream.url in outcome.reason
    quick.server.mode = Mode.GOOD
