"""The files in /run: lock, marker, stamp, request."""

import os
import shutil
import stat
import threading
import time
from pathlib import Path

import pytest

from autoupdate.host import runtime_files
from autoupdate.model.errors import AutoupdateError, BusyError, Exit
from autoupdate.model.paths import AppPaths, Paths

DEAD = "4999999"  # above the kernel's largest process id


@pytest.fixture
def paths(tmp_path: Path) -> AppPaths:
    """Return the paths of an app whose run directory exists."""
    paths = Paths(str(tmp_path)).app("demo")
    os.makedirs(paths.run)
    return paths


def test_second_run_is_refused_or_waits(paths: AppPaths) -> None:
    entered = []

    def second() -> None:
        with runtime_files.exclusive(paths, "demo", wait=True):
            entered.append(time.monotonic())

    with runtime_files.exclusive(paths, "demo", wait=False):
        with (
            pytest.raises(BusyError, match=f"process {os.getpid()}") as caught,
            runtime_files.exclusive(paths, "demo", wait=False),
        ):
            pass
        assert caught.value.exit_code == Exit.BUSY
        assert runtime_files.is_running(paths)
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.15)
        assert entered == []
        left = time.monotonic()
    waiting.join(5)
    assert entered[0] >= left
    assert not runtime_files.is_running(paths)


def test_lock_is_free_after_an_error_and_without_its_directory(paths: AppPaths) -> None:
    os.rmdir(paths.run)
    with pytest.raises(KeyError), runtime_files.exclusive(paths, "demo", wait=False):
        raise KeyError
    with runtime_files.exclusive(paths, "demo", wait=False):
        mode = stat.S_IMODE(os.stat(paths.lock).st_mode)
    assert mode == 0o600, "who may open the lock could hold it"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_lock_of_another_user_is_not_a_run(paths: AppPaths) -> None:
    """Another user can lock a file with the same inode number in another file system."""
    with runtime_files.exclusive(paths, "demo", wait=False):
        os.chown(paths.lock, 65534, 65534)
        assert not runtime_files.is_running(paths)
        os.chown(paths.lock, os.geteuid(), 0)
        assert runtime_files.is_running(paths)


def test_marker_while_activating(paths: AppPaths) -> None:
    assert not runtime_files.is_activating(paths)
    with runtime_files.activating(paths):
        assert runtime_files.is_activating(paths)
    assert not runtime_files.is_activating(paths)
    assert os.listdir(paths.run) == []


@pytest.mark.parametrize(
    "content",
    [
        f"{DEAD} 12345\n",
        "OWN 1\n",  # another process has this process id since
        "OWN\n",
        "",
        "\n",
        "a b c\n",
        "../self 1\n",
        "\udc80\udcff\n",
    ],
)
def test_marker_of_no_living_process(paths: AppPaths, content: str) -> None:
    text = content.replace("OWN", str(os.getpid()))
    Path(paths.activating).write_bytes(text.encode(errors="surrogateescape"))
    assert not runtime_files.is_activating(paths)


def test_a_run_goes_on_when_its_directory_was_removed(paths: AppPaths) -> None:
    with runtime_files.exclusive(paths, "web", wait=False):
        shutil.rmtree(os.path.dirname(paths.run))
        with runtime_files.activating(paths):
            assert runtime_files.is_activating(paths)
        shutil.rmtree(os.path.dirname(paths.run))
        runtime_files.set_fresh(paths, 60, "/usr/bin/python3", [])
        assert stat.S_IMODE(os.stat(paths.run).st_mode) == 0o755


def test_a_removed_directory_releases_no_lock(paths: AppPaths) -> None:
    """Two runs at once would remove each other's releases."""
    os.makedirs(paths.home, exist_ok=True)
    with runtime_files.exclusive(paths, "web", wait=False):
        shutil.rmtree(os.path.dirname(paths.run))
        assert runtime_files.is_running(paths)
        with (
            pytest.raises(BusyError, match=f"process {os.getpid()}"),
            runtime_files.exclusive(paths, "web", wait=False),
        ):
            pass
    assert not runtime_files.is_running(paths)
    with runtime_files.exclusive(paths, "web", wait=False):
        assert stat.S_IMODE(os.stat(paths.state_lock).st_mode) == 0o600


@pytest.mark.parametrize("what", ["removed", "renamed"])
def test_a_lock_of_an_app_that_is_gone_when_it_is_free(paths: AppPaths, what: str) -> None:
    """What waited for it has loaded an app that does not exist any more."""
    os.makedirs(paths.home)
    seen: list[AutoupdateError] = []

    def second() -> None:
        try:
            with runtime_files.exclusive(paths, "demo", wait=True):
                pytest.fail("it went on")
        except AutoupdateError as error:
            seen.append(error)

    waiting = threading.Thread(target=second)
    with runtime_files.exclusive(paths, "demo", wait=False):
        waiting.start()
        time.sleep(0.15)
        if what == "removed":
            shutil.rmtree(paths.home)
            # Another process may have made it again.
            os.makedirs(paths.home)
        else:
            os.rename(paths.home, f"{os.path.dirname(paths.home)}/shop")
            os.symlink("shop", paths.home)
        shutil.rmtree(paths.run)
    waiting.join(5)
    (error,) = seen
    if what == "removed":
        assert "demo was removed from this host" in error.message
        assert error.exit_code == Exit.BUSY
    else:
        assert error.message == "demo was renamed to shop"
        assert error.exit_code == Exit.USAGE


def test_start_time_with_unusual_process_names() -> None:
    assert runtime_files.start_time("self") == runtime_files.start_time(str(os.getpid()))
    assert runtime_files.start_time("self").isdecimal()


def test_fresh(paths: AppPaths) -> None:
    python = Path(paths.current, ".venv/bin/python")
    python.parent.mkdir(parents=True)
    python.touch()
    assert not runtime_files.is_fresh(paths)
    runtime_files.set_fresh(paths, 60, "/usr/bin/python3", ())
    assert runtime_files.is_fresh(paths)
    runtime_files.set_stale(paths)
    assert not runtime_files.is_fresh(paths)
    runtime_files.set_stale(paths)
    runtime_files.set_fresh(paths, 0, "/usr/bin/python3", ())
    assert not runtime_files.is_fresh(paths)


@pytest.mark.parametrize("content", [b"", b"soon\n", b"\xff\n", b"-1\n", b"1e9\n"])
def test_garbage_in_the_stamp_is_not_fresh(paths: AppPaths, content: bytes) -> None:
    Path(paths.fresh).write_bytes(content)
    assert not runtime_files.is_fresh(paths)


def test_request_lasts_while_its_gate_waits(paths: AppPaths) -> None:
    assert runtime_files.requests(paths) == set()
    with runtime_files.request(paths, runtime_files.RECOVER):
        assert runtime_files.requests(paths) == {runtime_files.RECOVER}
    assert runtime_files.requests(paths) == set()


@pytest.mark.parametrize("content", ["", "1 update\n", "x", "\n"])
def test_request_of_a_killed_gate_does_not_count(paths: AppPaths, content: str) -> None:
    os.makedirs(paths.requests)
    Path(paths.requests, str(os.getpid())).write_text(content)
    Path(paths.requests, "4194305").write_text("5 update\n")
    assert runtime_files.requests(paths) == set()
