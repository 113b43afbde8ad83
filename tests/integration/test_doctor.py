"""What doctor finds of owners on a real file system, and heals by the commands that it prints."""

import os
from pathlib import Path

import pytest

from autoupdate.doctor import cure
from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import Command
from autoupdate.doctor.host_facts import HostFacts
from autoupdate.doctor.owners import of_tree
from tests.integration.site import Site


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change owners")
def test_owners_of_a_tree(deployed: Site, tmp_path: Path) -> None:
    app = deployed.app()
    app.worker.close()
    case = Case(
        deployed.paths, app.settings, app.records, HostFacts(deployed.paths), app.clock.now()
    )
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    for place in (tree / "a/.venv/x", tree / "a/b c", outside):
        place.mkdir(parents=True)
    (tree / "a/link").symlink_to(outside)
    for place in (tree / "a/.venv/x", tree / "a/b c", outside):
        os.chown(place, 4242, 4242)
    os.chown(tree / "a/link", 4242, 4242, follow_symlinks=False)
    (finding,) = of_tree(case, str(tree), ("root",), (".venv",))
    assert "is owned by user 4242, not by root, and 1 other" in finding.what
    assert [cure.do(step) for step in finding.steps] == [""]
    assert list(of_tree(case, str(tree), ("root",), (".venv",))) == []
    assert os.lstat(tree / "a/.venv/x").st_uid == 4242, "left out"
    assert os.stat(outside).st_uid == 4242, "links are not followed"
    app.records.close()


def test_steps_that_fail() -> None:
    assert cure.do(Command(("false",))) == "it ended with exit status 1"
    assert "cannot be started" in cure.do(Command(("no-such-program-of-ours",)))
