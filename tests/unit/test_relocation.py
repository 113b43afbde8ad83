"""Moves that are made, undone, and refused."""

import os
import shutil
from pathlib import Path

import pytest

from autoupdate import relocation
from autoupdate.errors import BrokenError
from autoupdate.paths import AppPaths
from autoupdate.relocation import COPY, LINK, RENAME, UNLINK, Journal, Move, inode, make, undo


def copy(source: str, target: str) -> None:
    """Copy a directory."""
    shutil.copytree(source, target)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a directory with a file in it."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state/file").write_text("1")
    return tmp_path / "state"


def test_a_copy_that_is_undone_keeps_what_was_written_since(state: Path, tmp_path: Path) -> None:
    target = tmp_path / "shared"
    move = Move(COPY, str(state), str(target))
    make(move, copy)
    (target / "file").write_text("2")

    for _ in range(2):
        undo(move, "stamp")

    assert (state / "file").read_text() == "1"
    assert not target.exists()
    assert (tmp_path / "shared.undone-stamp/file").read_text() == "2"


def test_a_copy_that_was_not_begun_leaves_what_is_there(state: Path, tmp_path: Path) -> None:
    seed = tmp_path / "shared"
    seed.mkdir()
    undo(Move(COPY, str(state), str(seed), inode(str(seed))), "stamp")
    assert seed.exists()


def test_nothing_is_ever_overwritten(state: Path, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    with pytest.raises(BrokenError, match="is there already"):
        make(Move(RENAME, str(state), str(tmp_path / "shared"), inode(str(state))), copy)
    assert (state / "file").exists()


def test_something_else_that_came_to_the_target_stays(state: Path, tmp_path: Path) -> None:
    """A rename is known by what it moved, not by its names."""
    target = tmp_path / "shared"
    move = Move(RENAME, str(state), str(target), inode(str(state)))
    state.rename(tmp_path / "elsewhere")
    target.mkdir()
    undo(move, "stamp")
    assert target.exists()
    assert not state.exists()


def test_no_link_is_followed_on_the_way(state: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(OSError, match="Not a directory"):
        make(Move(RENAME, str(tmp_path / "link/state"), str(tmp_path / "new"), 1), copy)
    assert state.exists()


def test_only_our_own_link_is_removed(tmp_path: Path) -> None:
    link = tmp_path / "app"
    link.symlink_to("/somewhere")
    make(Move(UNLINK, str(link), "/ours"), copy)
    undo(Move(LINK, str(link), "/ours"), "stamp")
    assert os.readlink(link) == "/somewhere"


def test_a_journal_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    paths = AppPaths(str(tmp_path), str(tmp_path))
    assert relocation.read(paths) is None
    moves, legacy = (Move(RENAME, "/a", "/b", 7),), (("cron line", "/f", 1, "x", ""),)
    journal = Journal("adopt", "/a", "/b", "1", "c", "r", ("s",), ("", "p"), moves, legacy)
    relocation.write(paths, journal)
    assert relocation.read(paths) == journal
    Path(paths.relocation).write_text("{")
    with pytest.raises(BrokenError, match="nothing is undone"):
        relocation.read(paths)
