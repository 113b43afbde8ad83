"""What rehearsed services use in place of the app's own directory."""

import os
from pathlib import Path

import pytest

from autoupdate.config.sections import Rehearse
from autoupdate.host.rehearsal.scratch import Scratch, remove
from autoupdate.model.paths import AppPaths

COPY = Rehearse((), 1.0, smoke=True, shared="copy", shared_max=1 << 20)


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    paths = AppPaths(f"{tmp_path}/home", f"{tmp_path}/run")
    state = tmp_path / "home/shared/state"
    state.mkdir(parents=True)
    (state / "data").write_text("gold")
    (state / "web.pid").write_text("1")
    (tmp_path / "home/shared/log").write_text("lines")
    return Scratch(paths, "R")


def test_a_copy_of_what_is_shared(scratch: Scratch) -> None:
    assert scratch.make(("state", "log"), COPY, None) == ""
    assert os.readlink(f"{scratch.view}/current") == "releases/R"
    copy = Path(scratch.shared)
    assert (copy / "state/data").read_text() == "gold"
    assert not (copy / "state/web.pid").exists()
    (copy / "state/data").write_text("lead")
    assert Path(f"{scratch.paths.shared}/state/data").read_text() == "gold"
    assert remove(scratch.paths)
    assert not remove(scratch.paths)
    assert not os.path.lexists(scratch.paths.rehearsal)


@pytest.mark.parametrize("settings", [COPY._replace(shared="empty"), COPY._replace(shared_max=3)])
def test_nothing_of_what_is_shared(scratch: Scratch, settings: Rehearse) -> None:
    said = scratch.make(("state", "log", "new/one"), settings, None)
    assert ("rehearse.shared_max" in said) == (settings.shared == "copy")
    assert os.listdir(f"{scratch.shared}/state") == []
    assert Path(f"{scratch.shared}/log").read_text() == ""
    assert os.listdir(f"{scratch.shared}/new/one") == []
    # What a killed run left is in nobody's way.
    scratch.make(("state",), settings, None)
