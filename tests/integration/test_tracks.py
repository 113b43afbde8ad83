"""Tracks with a real server: which tag is chosen, which refs are asked for, hostile names."""

from pathlib import Path

import pytest

from autoupdate.cli.main import main
from autoupdate.model.commits import short
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from tests.integration.site import APP, Site
from tools.lib.hosts.commands import run
from tools.lib.hosts.git_server import Mode

ANNOTATED = ("--annotate", "--message=a version")


@pytest.fixture
def deployed(deployed: Site) -> Site:
    """Return a host with version 1; no environments are built for the next ones."""
    deployed.builds = False
    return deployed


def asked(site: Site) -> set[tuple[str, ...]]:
    """Return which refs the server was asked for."""
    return {request.prefixes for request in site.server.requests if request.command == "ls-refs"}


def test_only_the_branch_is_asked_for(deployed: Site) -> None:
    deployed.server.forget()
    assert deployed.run().result is Result.CURRENT
    assert asked(deployed) == {("refs/heads/main",)}


@pytest.mark.parametrize("options", [(), ANNOTATED], ids=["lightweight", "annotated"])
def test_highest_tag_is_chosen(deployed: Site, options: tuple[str, ...]) -> None:
    second = deployed.upstream.commit(version=2)
    deployed.upstream.tag("v1.9", second, *options)
    third = deployed.upstream.commit(version=3)
    deployed.upstream.tag("v1.10", third, *options)
    last = deployed.upstream.commit(version=4)
    deployed.upstream.tag("v2.0-rc1", last, *options)
    deployed.configure(upstream__track="semver:^1.2")
    deployed.server.forget()
    assert deployed.updates_to(third)
    assert ("refs/tags/",) in asked(deployed)
    assert deployed.run().result is Result.CURRENT
    deployed.configure(upstream__track="tag:v2*rc*")
    assert deployed.updates_to(last)


def test_hostile_names_are_not_candidates(deployed: Site) -> None:
    second = deployed.upstream.commit(version=2)
    deployed.upstream.tag("v2.0", second)
    third = deployed.upstream.commit(version=3)
    bare = deployed.upstream.bare
    marker = deployed.directory / "marker"
    for name in (
        f"v9;touch${{IFS}}{marker.name}", f"v9$(touch {marker})".replace(" ", "${IFS}"),
        "--upload-pack=touch", "-v9", "v9\u202e1", "v9.0\u00b2", "v9`id`", "v9|x", "v9'", 'v9"',
        "v9/v10", "v9@{0}x", "v" + "9" * 150,
    ):  # fmt: skip
        run("git", "-C", bare, "update-ref", f"refs/tags/{name}".replace("@{", "@"), third)
    deployed.configure(upstream__track="semver:>=1")
    assert deployed.updates_to(second)
    assert not marker.exists()
    assert not Path(deployed.app_paths.mirror, marker.name).exists()


def test_moved_tag_is_refused_and_the_next_version_deployed(deployed: Site) -> None:
    second = deployed.upstream.commit(version=2)
    deployed.upstream.tag("v2.0", second, *ANNOTATED)
    deployed.configure(upstream__track="tag:v*")
    assert deployed.updates_to(second)
    third = deployed.upstream.commit(version=3)
    deployed.upstream.tag("v2.0", third, *ANNOTATED)
    refused = deployed.run()
    assert (refused.result, refused.exit_code) == (Result.DEFERRED, Exit.DONE)
    moved = f"moved tag: v2.0 pointed to commit {short(second)}, now to commit {short(third)}"
    assert moved in refused.reason
    assert deployed.log.messages("refused") == [refused.reason]
    deployed.upstream.tag("v2.1", third, *ANNOTATED)
    assert deployed.updates_to(third)


def test_no_tag_that_matches(
    deployed: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed.upstream.tag("stable")
    deployed.configure(upstream__track="semver:>=1")
    outcome = deployed.run()
    assert (outcome.result, outcome.exit_code) == (Result.DEFERRED, Exit.DONE)
    assert "no tag upstream matches semver:>=1 (1 tag at http" in outcome.reason
    # Without the user _autoupdate, the check runs git as the caller.
    monkeypatch.setattr("autoupdate.cli.verbs.check.builder", lambda: None)
    assert main(["check", APP], deployed.paths) == Exit.DONE
    assert "no tag upstream matches semver:>=1" in capsys.readouterr().out


def test_page_in_place_of_the_tags(deployed: Site) -> None:
    deployed.configure(upstream__track="semver:>=1")
    deployed.server.mode = Mode.GARBAGE_LINE
    assert deployed.run().exit_code == Exit.UNREACHABLE


def test_tag_of_something_that_is_not_a_commit(deployed: Site) -> None:
    """It is not built, and this is not reported as a fault of the network."""
    blob = deployed.upstream.git("rev-parse", "HEAD:VERSION")
    deployed.upstream.tag("v9.0", blob)
    deployed.configure(upstream__track="semver:>=1")
    outcome = deployed.run()
    assert outcome.exit_code == Exit.FAILED
    assert "refs/tags/v9.0 of upstream is not a commit" in outcome.reason
