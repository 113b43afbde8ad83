"""An upstream that cannot be reached, or that answers with something else than a repository."""

import os
from pathlib import Path

import pytest

from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from autoupdate.records.records import Records
from tests.integration.site import Site
from tools.lib.hosts.git_server import Mode


def is_one_clear_line(reason: str, site: Site) -> bool:
    """Return whether a reason names the upstream, in one line of a readable length."""
    return "\n" not in reason and site.upstream.url in reason and len(reason) < 300


def assert_untouched(site: Site, before: str) -> None:
    """Check that the deployment did not change, and no commit is blamed."""
    assert (site.current, site.releases()) == (before, [before])
    records = Records(site.app_paths.state, read_only=True)
    assert records.quarantined() == []
    assert records.unfinished() is None
    last = records.last_run()
    assert last is not None
    assert last.exit_code != Exit.DONE
    records.close()


@pytest.mark.parametrize(
    "mode",
    [
        Mode.NOT_FOUND, Mode.UNAUTHORIZED, Mode.SERVER_ERROR, Mode.GARBAGE, Mode.GARBAGE_LINE,
        Mode.HANG, Mode.RESET, Mode.HALF_PACK,
    ],
)  # fmt: skip
def test_server_misbehaves(deployed: Site, mode: Mode) -> None:
    before = deployed.current
    deployed.configure(upstream__timeout="2s")
    commit = deployed.upstream.commit(version=2)
    deployed.server.mode = mode
    outcome = deployed.run()
    assert (outcome.result, outcome.exit_code) == (Result.UNREACHABLE, Exit.UNREACHABLE)
    assert is_one_clear_line(outcome.reason, deployed), outcome.reason
    assert_untouched(deployed, before)
    deployed.server.mode = Mode.GOOD
    deployed.configure()
    assert deployed.updates_to(commit, force=True), "at once, whatever was counted"


def test_server_is_down(deployed: Site) -> None:
    before = deployed.current
    deployed.server.stop()
    outcome = deployed.run()
    assert outcome.exit_code == Exit.UNREACHABLE
    assert is_one_clear_line(outcome.reason, deployed)
    assert_untouched(deployed, before)


def test_host_name_that_does_not_exist(deployed: Site) -> None:
    deployed.configure(upstream__url="https://no-such-host.invalid/a.git")
    outcome = deployed.run()
    assert outcome.exit_code == Exit.UNREACHABLE
    assert "no-such-host.invalid" in outcome.reason


def test_password_is_not_shown(deployed: Site) -> None:
    deployed.server.mode = Mode.UNAUTHORIZED
    secret = deployed.upstream.url.replace("://", "://user:secret@")
    deployed.configure(upstream__url=secret)
    outcome = deployed.run()
    assert outcome.exit_code == Exit.UNREACHABLE
    assert "secret" not in outcome.reason
    assert "secret" not in "".join(event.message for event in deployed.log.events)


def test_file_url_of_a_missing_directory(deployed: Site) -> None:
    deployed.configure(upstream__url="file:///no/such/repository.git")
    assert deployed.run().exit_code == Exit.UNREACHABLE


@pytest.mark.parametrize("branch", ["mian", "refs/heads/main", "MAIN"])
def test_missing_branch(deployed: Site, branch: str) -> None:
    before = deployed.current
    deployed.configure(upstream__track=f"branch:{branch}")
    outcome = deployed.run()
    assert (outcome.result, outcome.exit_code) == (Result.REFUSED, Exit.USAGE)
    assert f"has no branch {branch}" in outcome.reason
    assert is_one_clear_line(outcome.reason, deployed)
    assert "upstream.track" in outcome.advice
    assert_untouched(deployed, before)


def test_missing_commit(deployed: Site) -> None:
    before = deployed.current
    missing = "12" * 20
    deployed.configure(upstream__track=f"commit:{missing}")
    outcome = deployed.run()
    assert outcome.exit_code == Exit.UNREACHABLE
    assert missing in outcome.reason
    assert_untouched(deployed, before)


def test_first_deployment_with_an_upstream_that_is_down(bare: Site) -> None:
    bare.server.stop()
    outcome = bare.run()
    assert outcome.exit_code == Exit.UNREACHABLE
    assert not os.path.lexists(bare.path)
    assert bare.releases() == []


@pytest.mark.parametrize("obstacle", ["directory", "file", "link"])
def test_path_that_already_exists(bare: Site, obstacle: str) -> None:
    """Refused before anything is fetched or built."""
    if obstacle == "directory":
        bare.path.mkdir()
        (bare.path / "mine").touch()
    elif obstacle == "file":
        bare.path.write_text("mine")
    else:
        bare.path.symlink_to("/nowhere")
    outcome = bare.run()
    assert (outcome.result, outcome.exit_code) == (Result.REFUSED, Exit.USAGE)
    assert str(bare.path) in outcome.reason
    assert outcome.advice
    assert bare.server.requests == []
    assert bare.releases() == []
    assert os.path.lexists(bare.path)
    assert not Path(bare.app_paths.mirror, "HEAD").exists()
