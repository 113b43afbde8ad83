"""Moves that are made, undone and refused."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from autoupdate.adoption import relocation
from autoupdate.adoption.relocation import (
    COPY,
    EXCHANGE,
    LINK,
    RENAME,
    UNLINK,
    Journal,
    Move,
    inode,
    make,
    undo,
)
from autoupdate.model.errors import BrokenError
from autoupdate.model.paths import AppPaths


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
    with pytest.raises(BrokenError, match="already exists, so"):
        make(Move(RENAME, str(state), str(tmp_path / "shared"), inode(str(state))), copy)
    assert (state / "file").exists()


def test_something_else_at_the_target_is_kept(state: Path, tmp_path: Path) -> None:
    """A rename is identified by the inode that it moved, not by its names."""
    target = tmp_path / "shared"
    move = Move(RENAME, str(state), str(target), inode(str(state)))
    state.rename(tmp_path / "elsewhere")
    target.mkdir()
    undo(move, "stamp")
    assert target.exists()
    assert not state.exists()


@pytest.fixture(params=["at once", "one after the other"])
def _exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a file system that can exchange two names, or one that cannot."""

    def refuse(*_: str, **__: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    if request.param != "at once":
        monkeypatch.setattr(relocation, "exchange", refuse)


@pytest.mark.usefixtures("_exchange")
def test_a_directory_and_a_link_change_places(state: Path, tmp_path: Path) -> None:
    link, current = tmp_path / "link", str(tmp_path / "current")
    link.symlink_to(current)
    move = Move(EXCHANGE, str(state), str(link), inode(str(state)), current)
    make(move, copy)
    assert (link / "file").read_text() == "1"
    assert os.readlink(state) == current
    for _ in range(2):
        undo(move, "stamp")
        assert (state / "file").read_text() == "1"
        assert os.readlink(link) == current


@pytest.mark.usefixtures("_exchange")
@pytest.mark.parametrize("steps", range(1, 4))
def test_an_interrupted_exchange_is_undone(state: Path, tmp_path: Path, steps: int) -> None:
    """Without renameat2(2) it takes several steps, and may be killed after each of them."""
    link, current = tmp_path / "link", str(tmp_path / "current")
    link.symlink_to(current)
    move = Move(EXCHANGE, str(state), str(link), inode(str(state)), current)
    link.unlink()
    if steps > 1:
        state.rename(link)
    if steps > 2:
        state.symlink_to(current)
    undo(move, "stamp")
    assert (state / "file").read_text() == "1"
    assert os.readlink(link) == current


def test_no_exchange_with_anything_but_our_link(state: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(BrokenError, match="is not a link to"):
        make(Move(EXCHANGE, str(state), str(other), inode(str(state)), "/ours"), copy)
    assert (state / "file").exists()
    assert other.is_dir()


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
    with pytest.raises(BrokenError, match="nothing was undone"):
        relocation.read(paths)
