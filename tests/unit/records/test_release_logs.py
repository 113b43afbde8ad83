"""The logs of releases."""

import os
from pathlib import Path

import pytest

from autoupdate.model.events import OUTPUT, STEP, Event
from autoupdate.model.paths import AppPaths
from autoupdate.records import release_logs
from autoupdate.records.release_logs import ReleaseLogs


class Passed:
    """A log that keeps the messages."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def write(self, event: Event) -> None:
        """Record one event."""
        self.messages.append(event.message)


def lines(paths: AppPaths, release: str) -> list[str]:
    """Return the lines of a release's log without their times."""
    return [line.partition("] ")[2] for line in release_logs.read(paths, release).splitlines()]


def test_output_of_a_release_is_kept_and_only_for_root(tmp_path: Path) -> None:
    paths, passed = AppPaths(f"{tmp_path}/web", f"{tmp_path}/run"), Passed()
    os.mkdir(paths.home)
    log = ReleaseLogs(passed, paths)
    for event in (
        Event(STEP, "building release", release="r1"),
        Event(OUTPUT, "fetched"),
        Event(OUTPUT, "Collecting x", release="r1"),
        Event(OUTPUT, "Collecting y", release="r2"),
        Event(OUTPUT, "forged", release="../../etc/x"),
    ):
        log.write(event)
    # A later run, which rehearses what this one built.
    ReleaseLogs(passed, paths).write(Event(OUTPUT, "1 passed", release="r1"))
    assert len(passed.messages) == 6
    assert lines(paths, "r1") == ["Collecting x", "1 passed"]
    assert release_logs.named(paths, "r") == ["r1", "r2"]
    assert os.stat(paths.release_logs).st_mode & 0o077 == 0


def test_logs_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_logs, "MOST_BYTES", 1 << 20)
    paths = AppPaths(f"{tmp_path}/web", f"{tmp_path}/run")
    os.mkdir(paths.home)
    for number in range(release_logs.MOST_FILES + 3):
        log = ReleaseLogs(Passed(), paths)
        log.write(Event(OUTPUT, "short", release=f"r{number:03}"))
        os.utime(paths.release_log(f"r{number:03}"), (number, number))
    kept = release_logs.named(paths, "")
    assert (len(kept), kept[0]) == (release_logs.MOST_FILES, "r003")
    for _ in range(3000):
        log.write(Event(OUTPUT, "x" * 1023, release=kept[-1]))
    found = lines(paths, kept[-1])
    assert found[-1] == "the rest is not kept: it is more than 1 MiB"
    assert len(found) < 1030


def test_a_full_disk_does_not_end_the_build(tmp_path: Path) -> None:
    paths, passed = AppPaths(f"{tmp_path}/web", f"{tmp_path}/run"), Passed()
    # In the place of the state directory is a file.
    Path(paths.home).touch()
    ReleaseLogs(passed, paths).write(Event(OUTPUT, "Collecting x", release="r1"))
    assert passed.messages == ["Collecting x"]
