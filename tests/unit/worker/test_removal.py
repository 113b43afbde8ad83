"""Removal of a tree: all of it, nothing outside, and what is left is said."""

import errno
import os
from pathlib import Path

import pytest

from autoupdate.worker.removal import MOST_LISTED, PATIENCE, System, remove_tree


class Faulty(System):
    """A system where some names cannot be removed, and others do things meanwhile."""

    def __init__(self) -> None:
        self.faults: dict[str, int] = {}
        self.mounts: dict[str, str] = {}
        self.before_open: dict[str, object] = {}
        self.seconds = 0.0

    def open(self, name: str, directory: int) -> int:
        """Open a directory, after what another process does."""
        action = self.before_open.pop(name, None)
        if callable(action):
            action()
        return super().open(name, directory)

    def unlink(self, name: str, directory: int) -> None:
        """Remove a file, if it can be removed."""
        self._fail(name)
        super().unlink(name, directory)

    def rmdir(self, name: str, directory: int) -> None:
        """Remove a directory, if it can be removed."""
        self._fail(name)
        super().rmdir(name, directory)

    def mount(self, descriptor: int) -> str:
        """Return the mount of a directory."""
        return self.mounts.get(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")), "1")

    def clock(self) -> float:
        """Let a second pass."""
        self.seconds += 1
        return self.seconds

    def _fail(self, name: str) -> None:
        if number := self.faults.get(name):
            raise OSError(number, os.strerror(number))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree with files, directories and links that lead out of it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    top = tmp_path / "tree"
    (top / "package/__pycache__").mkdir(parents=True)
    (top / "package/__pycache__/module.pyc").touch()
    (top / "package/module.py").touch()
    (top / "bin").mkdir()
    (top / "bin/link").symlink_to(outside)
    (top / "link").symlink_to("../outside")
    os.mkfifo(top / "fifo")
    (top / "closed").mkdir()
    (top / "closed/file").touch()
    (top / "closed").chmod(0o500)
    return top


def is_whole(tree: Path) -> bool:
    """Return whether what is outside of the tree is still there."""
    return (tree.parent / "outside/precious").read_text() == "kept"


def test_everything_goes_and_nothing_else(tree: Path) -> None:
    assert remove_tree(str(tree)) == ()
    assert not tree.exists()
    assert is_whole(tree)


def test_what_is_missing_is_removed(tmp_path: Path) -> None:
    assert remove_tree(f"{tmp_path}/missing") == ()
    assert remove_tree(f"{tmp_path}/missing/below") == ()


def test_link_and_file_in_place_of_a_directory(tree: Path) -> None:
    link = tree.parent / "release"
    link.symlink_to("outside")
    assert remove_tree(str(link)) == ()
    assert not os.path.lexists(link)
    assert is_whole(tree)
    link.touch()
    assert remove_tree(str(link)) == ()
    assert not os.path.lexists(link)


def test_directory_exchanged_for_a_link_before_it_is_opened(tree: Path) -> None:
    system = Faulty()

    def exchange() -> None:
        (tree / "package").rename(tree.parent / "moved")
        (tree / "package").symlink_to("../outside")

    system.before_open["package"] = exchange
    assert remove_tree(str(tree), system) == ()
    assert not tree.exists()
    assert is_whole(tree)


def test_directory_moved_while_it_is_emptied(tree: Path) -> None:
    """The way up leads to where it was moved to, and nothing is removed there."""
    system = Faulty()

    def move() -> None:
        (tree / "package").rename(tree.parent / "outside/package")
        (tree.parent / "outside/__pycache__").mkdir()

    # From __pycache__ up to package, then from package up to wherever it is now.
    system.before_open[".."] = move
    (left,) = remove_tree(str(tree), system)
    assert left.why == "it was moved while it was removed"
    assert is_whole(tree)
    assert sorted(os.listdir(tree.parent / "outside")) == ["__pycache__", "package", "precious"]


def test_mount_is_not_entered(tree: Path) -> None:
    system = Faulty()
    system.mounts["bin"] = "2"
    (left,) = remove_tree(str(tree), system)
    assert left == (f"{tree}/bin", "something is mounted there", f"umount -R {tree}/bin")
    assert os.listdir(tree) == ["bin"]
    assert os.listdir(tree / "bin") == ["link"]


def test_tree_that_is_itself_a_mount(tree: Path) -> None:
    system = Faulty()
    system.mounts["tree"] = "2"
    (left,) = remove_tree(str(tree), system)
    assert left.path == str(tree)
    assert len(os.listdir(tree)) == 5


def test_what_cannot_be_removed_is_listed_and_the_rest_goes(tree: Path) -> None:
    system = Faulty()
    system.faults = {"module.pyc": errno.EPERM, "fifo": errno.EROFS}
    left = remove_tree(str(tree), system)
    assert [item.path for item in left] == [
        f"{tree}/fifo", f"{tree}/package/__pycache__/module.pyc",
    ]  # fmt: skip
    assert left[0].why == "Read-only file system"
    if os.geteuid() == 0:
        assert left[1].advice == f"chattr -R -i -a {tree}"
    assert sorted(str(path.relative_to(tree)) for path in tree.rglob("*")) == [
        "fifo", "package", "package/__pycache__", "package/__pycache__/module.pyc",
    ]  # fmt: skip


def test_list_has_an_end(tmp_path: Path) -> None:
    top = tmp_path / "tree"
    top.mkdir()
    system = Faulty()
    for number in range(2 * MOST_LISTED):
        (top / str(number)).touch()
        system.faults[str(number)] = errno.EPERM
    assert len(remove_tree(str(top), system)) == MOST_LISTED


def test_time_has_an_end(tree: Path) -> None:
    """Another process could make directories as fast as they are removed."""
    system = Faulty()

    def breed() -> None:
        system.seconds += PATIENCE / 3
        (tree / "package/more").mkdir(exist_ok=True)
        system.before_open[".."] = breed

    breed()
    left = remove_tree(str(tree), system)
    assert any("took longer than 600 s" in item.why for item in left)
