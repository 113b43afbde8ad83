"""What is no longer needed is renamed at once, and removed later."""

import os
from pathlib import Path

import pytest

from autoupdate.model.paths import AppPaths, Paths
from autoupdate.worker import trash
from autoupdate.worker.removal import Remaining, remove_tree


@pytest.fixture
def paths(tmp_path: Path) -> AppPaths:
    """Return the paths of an app with two releases."""
    paths = Paths(str(tmp_path)).app("app")
    for name in ("one", "two"):
        Path(paths.release(name), "package").mkdir(parents=True)
    return paths


def test_it_is_gone_at_once_and_removed_later(paths: AppPaths) -> None:
    assert trash.is_empty(paths)
    assert trash.throw_away(paths, paths.release("one")) == ()
    assert os.listdir(paths.releases) == ["two"]
    assert not trash.is_empty(paths)
    assert os.stat(paths.trash).st_mode & 0o777 == 0o700
    assert trash.empty(paths) == {}
    assert not os.path.exists(paths.trash)


def test_one_after_the_other_with_the_same_name(paths: AppPaths) -> None:
    """As when a release is built again while the first one is still in the trash."""
    for _ in range(3):
        trash.throw_away(paths, paths.release("one"))
        os.mkdir(paths.release("one"))
    assert sorted(os.listdir(paths.trash)) == ["one", "one.1", "one.2"]
    trash.empty(paths)
    assert trash.is_empty(paths)


def test_what_is_not_there_is_thrown_away_already(paths: AppPaths) -> None:
    assert trash.throw_away(paths, paths.release("three")) == ()
    # The fast path asks for nothing more than this.
    assert not os.path.exists(paths.trash)
    assert trash.empty(paths) == {}


def test_a_link_is_moved_itself(paths: AppPaths, tmp_path: Path) -> None:
    (tmp_path / "kept/file").mkdir(parents=True)
    link = paths.release("link")
    os.symlink(tmp_path / "kept", link)
    assert trash.throw_away(paths, link) == ()
    assert trash.empty(paths) == {}
    assert os.listdir(tmp_path / "kept") == ["file"]


def test_what_comes_meanwhile_is_removed_and_what_stays_is_returned(
    paths: AppPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = (Remaining("place", "it is mounted", ""),)

    def remove(place: str) -> tuple[Remaining, ...]:
        if place.endswith("/one"):
            # A run goes on meanwhile.
            trash.throw_away(paths, paths.release("two"))
            return stuck
        return remove_tree(place)

    monkeypatch.setattr(trash, "remove_tree", remove)
    trash.throw_away(paths, paths.release("one"))
    assert trash.empty(paths) == {f"{paths.trash}/one": stuck}
    assert os.listdir(paths.trash) == ["one"]


def test_why_something_cannot_be_moved_is_returned(
    paths: AppPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "rename", fail)
    place = paths.release("one")
    assert trash.throw_away(paths, place) == (Remaining(place, "Read-only file system", ""),)
    assert not os.path.exists(paths.trash)
