"""Copies of shared files, made with the tools of a host."""

import os
from pathlib import Path

import pytest

from autoupdate.host.snapshots import SharedSnapshots
from autoupdate.model.errors import HostFaultError
from autoupdate.model.paths import Paths

PATTERNS = ["state/*.duckdb", "-odd name*"]


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Return the shared directory of an app, with some files in it."""
    shared = Path(Paths(str(tmp_path)).app("demo").shared)
    (shared / "state").mkdir(parents=True)
    for name in ("state/a.duckdb", "state/b.duckdb", "state/other", "-odd name\n"):
        (shared / name).write_text(f"old {name}")
    (shared / "state/b.duckdb").chmod(0o640)
    return shared


@pytest.fixture
def snapshots(shared: Path, tmp_path: Path) -> SharedSnapshots:
    """Return the copies of its files."""
    return SharedSnapshots(Paths(str(tmp_path)).app("demo"), lambda: None)


def test_taken_and_restored(shared: Path, snapshots: SharedSnapshots) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mode) for path in shared.rglob("*.duckdb")}
    assert snapshots.take(7, PATTERNS) == 3
    (shared / "state/a.duckdb").write_text("of the new format")
    (shared / "state/b.duckdb").unlink()
    (shared / "state/other").write_text("new")
    assert snapshots.restore(7)
    after = {path: (path.read_bytes(), path.stat().st_mode) for path in shared.rglob("*.duckdb")}
    assert after == before
    assert (shared / "-odd name\n").exists()
    assert (shared / "state/other").read_text() == "new", "what was not copied is left alone"
    snapshots.drop(7)
    assert not snapshots.restore(7)


def test_link_that_took_the_place_of_a_file_is_not_followed(
    shared: Path, snapshots: SharedSnapshots, tmp_path: Path
) -> None:
    snapshots.take(7, PATTERNS)
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (shared / "state/a.duckdb").unlink()
    (shared / "state/a.duckdb").symlink_to(outside)
    snapshots.restore(7)
    assert outside.read_text() == "mine"
    assert (shared / "state/a.duckdb").read_text() == "old state/a.duckdb"


def test_nothing_matches(snapshots: SharedSnapshots) -> None:
    assert snapshots.take(7, ["state/*.sqlite"]) == 0
    assert not snapshots.restore(7)
    snapshots.drop(7)


def test_copies_that_a_killed_run_left(shared: Path, snapshots: SharedSnapshots) -> None:
    """They may be large, and nothing else removes them."""
    snapshots.take(6, PATTERNS)
    snapshots.take(7, PATTERNS)
    assert os.listdir(snapshots.paths.snapshots) == ["7"]
    snapshots.take(8, ["none"])
    assert not os.path.exists(snapshots.paths.snapshots)


def test_incomplete_archive_does_not_count(shared: Path, snapshots: SharedSnapshots) -> None:
    snapshots.take(7, PATTERNS)
    archive = Path(snapshots.paths.snapshots, "7/files.tar")
    archive.rename(f"{archive}.new")
    assert not snapshots.restore(7)


def test_archive_that_cannot_be_read(shared: Path, snapshots: SharedSnapshots) -> None:
    snapshots.take(7, PATTERNS)
    Path(snapshots.paths.snapshots, "7/files.tar").write_bytes(b"garbage" * 100)
    with pytest.raises(HostFaultError, match="shared files cannot be copied: tar: "):
        snapshots.restore(7)
