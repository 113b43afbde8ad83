"""Releases are removed whoever owns what is in them, as root and with another user for builds."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.host.process import Identity
from autoupdate.worker.removal import remove_tree
from tests.integration.strangers import BUILDER, OTHER, StrangeSite
from tools.lib.hosts.commands import run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """Return a directory of the builds' user, which can be reached by it."""
    top = tmp_path / "releases"
    top.mkdir()
    (top / "r1/package").mkdir(parents=True)
    for path in (top, top / "r1", top / "r1/package"):
        os.chown(path, BUILDER.uid, BUILDER.gid)
    yield top / "r1"
    run("chattr", "-R", "-i", "-a", top, check=False)


def leave_pycache(release: Path, owner: Identity | None) -> None:
    """Leave compiled files in a release, as Python does for whoever runs it."""
    for place in (release, *release.rglob("site-packages/*/")):
        if not place.is_dir() or place.is_symlink():
            continue
        cache = place / "__pycache__/deeper"
        # A new environment begins as a copy of the one before.
        cache.mkdir(parents=True, exist_ok=True)
        (cache / "module.pyc").touch()
        for path in (cache.parent, cache, cache / "module.pyc"):
            if owner:
                os.chown(path, owner.uid, owner.gid)
            path.chmod(0o500)


def test_root_and_others_have_run_python_in_releases(strange: StrangeSite) -> None:
    """Releases and environments go, whether root, the services' user or nobody known was there."""
    site = strange
    site.configure(keep=2)
    for version in (2, 3):
        leave_pycache(site.release, (None, OTHER)[version % 2])
        leave_pycache(next(Path(site.app_paths.environments).glob("?" * 24)), None)
        commit = site.upstream.commit(version=version, requirements=("iniconfig==2.0.0",))
        assert site.updates_to(commit), site.log.events[-1].message
    assert len(site.releases()) == 2
    assert len(list(Path(site.app_paths.environments).glob("?" * 24))) == 1
    said = [event.message for event in site.log.events if "could not" in event.message]
    assert said == []
    listed = site.git("worktree", "list", "--porcelain")
    assert listed.count(f"worktree {site.app_paths.releases}/") == 2


def test_release_that_has_no_record(strange: StrangeSite) -> None:
    """The state that hosts were left in by runs that could not remove it."""
    left = Path(strange.app_paths.releases, "20260101T000000Z-0123456789ab")
    (left / "package/__pycache__").mkdir(parents=True)
    (left / "package/__pycache__/module.pyc").touch()
    os.chown(left, BUILDER.uid, BUILDER.gid)
    strange.run()
    assert not left.exists()
    assert len(strange.log.messages("recovered")) == 1


def test_what_is_immutable_is_said_once(strange: StrangeSite) -> None:
    left = Path(strange.app_paths.releases, "20260101T000000Z-0123456789ab")
    (left / "kept").mkdir(parents=True)
    if not run("chattr", "+i", left / "kept", check=False).ok:
        pytest.skip("this file system has no immutable files")
    try:
        for _ in range(3):
            strange.run()
        said = [event.message for event in strange.log.events if "removed" in event.message]
        assert len(said) == 2
        thrown_away = Path(strange.app_paths.trash, left.name)
        assert said[1].endswith(f"type: chattr -R -i -a {thrown_away}")
        assert not left.exists()
        run(*said[1].partition("type: ")[2].split())
        strange.run()
        assert not thrown_away.exists()
    finally:
        run("chattr", "-R", "-i", "-a", strange.app_paths.home, check=False)


def test_mounts_are_not_entered(tree: Path) -> None:
    """A bind mount is of the same device, and in a name space of its own here."""
    outside = tree.parent.parent / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    (tree / "mounted").mkdir()
    (tree / "file").touch()
    program = (
        "import subprocess, sys\n"
        "from autoupdate.worker.removal import remove_tree\n"
        "tree, outside = sys.argv[1:]\n"
        "subprocess.run(['mount', '--bind', outside, f'{tree}/mounted'], check=True)\n"
        "subprocess.run(['mount', '--bind', f'{outside}/precious', f'{tree}/file'], check=True)\n"
        "for item in remove_tree(tree):\n"
        "    print(item.path, item.why, item.advice, sep='|')\n"
    )
    # As a unit has it: mounts are made in there, and seen by nobody else.
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", program, tree, outside],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stderr == ""
    said = dict(line.split("|", 1) for line in done.stdout.splitlines())
    assert said[f"{tree}/mounted"] == f"something is mounted there|umount -R {tree}/mounted"
    assert (outside / "precious").exists()
    assert not (tree / "package").exists()
    assert remove_tree(str(tree)) == ()


def test_tree_deeper_than_any_path_or_stack(tree: Path) -> None:
    # Made in pieces, from below: no path to the end of the tree is short enough.
    pieces = 60 * "d/"
    for _ in range(60):
        os.makedirs(f"{tree}.new/{pieces}")
        os.rename(tree, f"{tree}.new/{pieces}end")
        os.rename(f"{tree}.new", tree)
    assert remove_tree(str(tree)) == ()
    assert not tree.exists()


def test_user_who_exchanges_directories_meanwhile(tree: Path) -> None:
    """Nothing outside is lost, however often a directory becomes a link while root removes."""
    outside = tree.parent.parent / "outside"
    (outside / "deep/deeper").mkdir(parents=True)
    for place in (outside, outside / "deep", outside / "deep/deeper"):
        (place / "precious").touch()
    exchanger = (
        "import os, sys\n"
        "tree, outside = sys.argv[1:]\n"
        "print('ready', flush=True)\n"
        "while os.path.lexists(tree):\n"
        "    try:\n"
        "        os.makedirs(f'{tree}/package/deep/deeper', exist_ok=True)\n"
        "        os.rename(f'{tree}/package', f'{tree}/aside')\n"
        "        os.symlink(outside, f'{tree}/package')\n"
        "        os.unlink(f'{tree}/package')\n"
        "        os.rename(f'{tree}/aside', f'{tree}/package')\n"
        "    except OSError:\n"
        "        pass\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", exchanger, tree, outside], stdout=subprocess.PIPE,
        user=BUILDER.uid, group=BUILDER.gid, extra_groups=[], cwd="/",
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            process.stdout.readline()
            for _ in range(300):
                remove_tree(str(tree))
                if not tree.exists():
                    tree.mkdir()
                    os.chown(tree, BUILDER.uid, BUILDER.gid)
        finally:
            process.kill()
    assert sum(place.name == "precious" for place in outside.rglob("*")) == 3
