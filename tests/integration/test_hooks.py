"""Hooks as programs: their environment, what happens to their output, and how they are killed."""

import time
from pathlib import Path

import pytest

from autoupdate.host.hook_files import POST, PRE
from autoupdate.model.steps import Result
from tests.integration.site import APP, Site


@pytest.fixture
def site(deployed: Site) -> Site:
    """Return a host with version 1 whose directories are accepted for hooks."""
    deployed.builds = False
    deployed.root.chmod(0o755)
    return deployed


def hook(site: Site, stage: str, name: str, *lines: str) -> Path:
    """Write a hook."""
    path = Path(site.paths.hooks(APP), stage, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)
    return path


def test_around_an_update(site: Site) -> None:
    notes = site.directory / "notes"
    line = f'echo "$AUTOUPDATE_EVENT $AUTOUPDATE_RESULT $AUTOUPDATE_COMMIT $HOME" >>{notes}'
    hook(site, PRE, "10-note", line, "echo to be seen in the journal")
    hook(site, POST, "10-note", line)
    commit = site.upstream.commit(2)
    assert site.updates_to(commit)
    assert notes.read_text() == f"update  {commit} /root\nupdate updated {commit} /root\n"
    assert any("to be seen in the journal" in message for message in site.log.messages("output"))
    notes.unlink()


def test_hook_that_refuses(site: Site) -> None:
    hook(site, PRE, "10-check", "echo one >&2", "echo the backup is running >&2", "exit 4")
    site.upstream.commit(2)
    outcome = site.run()
    assert outcome.result == Result.DEFERRED
    assert "failed with exit code 4: the backup is running" in outcome.reason
    assert len(site.releases()) == 2, "the release waits"


def test_hook_that_hangs_is_killed_with_its_children(site: Site) -> None:
    alive = site.directory / "alive"
    hook(site, PRE, "10-hang", f"(sleep 3; touch {alive}) &", "wait")
    site.configure(hooks__timeout="1s")
    site.upstream.commit(2)
    began = time.monotonic()
    outcome = site.run()
    assert "did not end within" in outcome.reason
    assert time.monotonic() - began < 60
    time.sleep(3)
    assert not alive.exists()


def test_hook_that_others_can_write(site: Site) -> None:
    ran = site.directory / "ran"
    hook(site, PRE, "10-check", f"touch {ran}").chmod(0o775)
    site.upstream.commit(2)
    outcome = site.run()
    assert outcome.result == Result.DEFERRED
    assert "10-check can be written by users other than root" in outcome.reason
    assert not ran.exists()
