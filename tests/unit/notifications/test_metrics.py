"""Metrics: what is written for node_exporter, when, and under which names."""

import os
import re
from pathlib import Path

import pytest

from autoupdate.model.errors import UnreachableError, UpdateFailedError
from autoupdate.model.steps import Result
from autoupdate.model.times import seconds
from autoupdate.notifications.metrics import METRICS, escape, exposition, write
from tests.unit.effects import APP, RELEASE_SIZE, commit
from tests.unit.world import World, settings

SAMPLE = re.compile(r'(autoupdate_[a-z_]+)\{((?:[a-z]+="[^"]*",?)+)\} (\S+)')


@pytest.fixture
def measured(tmp_path: Path) -> World:
    """Return an app whose metrics are written."""
    (tmp_path / "textfile").mkdir()
    return World(tmp_path, metrics__textfile=f"{tmp_path}/textfile")


def text(world: World) -> str:
    """Return what node_exporter would read."""
    return Path(world.settings.metrics.textfile, f"autoupdate-{APP}.prom").read_text()


def samples(world: World) -> dict[str, float]:
    """Return all samples by name and labels, without the app."""
    found = {}
    for line in text(world).splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, line
            labels = match[2].replace(f'app="{APP}"', "").strip(",")
            found[f"{match[1].removeprefix('autoupdate_')}{labels}"] = float(match[3])
    return found


def test_after_an_update(measured: World) -> None:
    measured.deploy(1)
    found = samples(measured)
    release = measured.release_of(1)
    assert found[f'infocommit="{commit(1)}",release="{release}",version=""'] == 1
    assert found["run_exit_code"] == 0
    assert found["updates_total"] == 1
    assert found['failures_totalstep="build"'] == 0
    assert found["release_size_bytes"] == RELEASE_SIZE
    assert found["releases"] == 1
    assert found['step_duration_secondsstep="build"'] >= 0
    assert "candidate_seen_timestamp_seconds" not in found, "nothing waits"
    last = measured.records.last_run()
    assert last
    assert found["last_success_timestamp_seconds"] == seconds(last.finished_at)
    assert found["last_check_timestamp_seconds"] == seconds(last.started_at)
    assert found["held"] == found["pinned"] == found["staged"] == found["quarantined_commits"] == 0


def test_failures_are_counted_by_step(measured: World) -> None:
    measured.deploy(1)
    measured.worker.faults["build"] = UpdateFailedError("no such requirement")
    measured.deploy(2)
    measured.worker.faults.clear()
    measured.services.bad = {commit(3)}
    measured.deploy(3)
    measured.services.bad = set()
    measured.deploy(4)
    measured.roll_back()
    found = samples(measured)
    assert found['failures_totalstep="build"'] == 1
    assert found['failures_totalstep="probation"'] == 1
    assert found['failures_totalstep="fetch"'] == 0
    assert found['rollbacks_totalreason="probation"'] == 1
    assert found['rollbacks_totalreason="hand"'] == 1
    assert found["quarantined_commits"] == 3
    assert found["updates_total"] == 2


def test_what_waits(measured: World) -> None:
    measured.deploy(1)
    measured.settings = settings(
        measured.root, windows__allowed=["Sun 03:00-04:00 UTC"],
        metrics__textfile=measured.settings.metrics.textfile,
    )  # fmt: skip
    assert measured.deploy(2).result == Result.DEFERRED
    found = samples(measured)
    candidate = measured.records.candidate()
    assert candidate
    assert found["candidate_seen_timestamp_seconds"] == seconds(candidate.seen_at)
    assert found["staged"] == 1


def test_failed_check_does_not_count_as_a_check(measured: World) -> None:
    measured.deploy(1)
    before = samples(measured)
    measured.check_fault = UnreachableError("upstream does not answer")
    measured.run()
    found = samples(measured)
    assert found["run_exit_code"] == 69
    assert found["last_run_timestamp_seconds"] > before["last_run_timestamp_seconds"]
    for name in ("last_check_timestamp_seconds", "last_success_timestamp_seconds"):
        assert found[name] == before[name]


def test_every_metric_is_written_and_explained(measured: World) -> None:
    measured.deploy(1)
    measured.settings = settings(
        measured.root, windows__allowed=["Sun 03:00-04:00 UTC"],
        metrics__textfile=measured.settings.metrics.textfile,
    )  # fmt: skip
    measured.deploy(2)
    for metric in METRICS:
        assert f"# HELP {metric.full_name} {metric.meaning}\n" in text(measured)
        assert f"# TYPE {metric.full_name} {metric.type}\n{metric.full_name}{{" in text(measured)
        assert metric.full_name.endswith("_total") == (metric.type == "counter")


def test_file_is_replaced_as_a_whole(measured: World) -> None:
    measured.deploy(1)
    directory = Path(measured.settings.metrics.textfile)
    file = directory / f"autoupdate-{APP}.prom"
    before = file.stat()
    assert before.st_mode & 0o777 == 0o644
    # A link that another user left there is not followed.
    (directory / f"{file.name}.new").symlink_to(measured.root / "elsewhere")
    measured.run()
    assert file.stat().st_ino != before.st_ino
    assert os.listdir(directory) == [file.name]
    assert not (measured.root / "elsewhere").exists()


def test_missing_directory_does_not_stop_the_update(measured: World) -> None:
    os.rmdir(measured.settings.metrics.textfile)
    assert measured.deploy(1).result == Result.UPDATED
    (event,) = [event for event in measured.log.events if event.kind.name == "metrics-unwritable"]
    assert "No such file or directory" in event.message


def test_without_the_setting_nothing_is_written(world: World) -> None:
    world.deploy(1)
    assert not list(world.root.rglob("*.prom"))


def test_labels_are_escaped() -> None:
    assert escape('a"b\\c\nd') == 'a\\"b\\\\c\\nd'
    line = exposition("shop", {"held": [({"reason": 'say "no"'}, 1)]}).splitlines()[-1]
    assert line == 'autoupdate_held{app="shop",reason="say \\"no\\""} 1'


def test_large_values_keep_their_digits(measured: World) -> None:
    measured.deploy(1)
    write(measured.app, staged=False)
    assert not re.search(r"\de\+\d", text(measured))
