"""Metrics of an app for the textfile collector of Prometheus' node_exporter.

One file for each app, replaced as a whole at the end of each run. Counters are computed from the
history; with a new state they start at zero again, as Prometheus allows.
"""

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from autoupdate.app import App
from autoupdate.host.links import linked_release, remove_link, sync_directory
from autoupdate.model.errors import AutoupdateError
from autoupdate.model.events import METRICS_UNWRITABLE
from autoupdate.model.steps import Result, Step
from autoupdate.model.times import seconds
from autoupdate.notifications import alerts
from autoupdate.records import hold, outbox, pin
from autoupdate.records.remembered import keep, recall
from autoupdate.records.rows import Release

DISTRIBUTION = "ipfs_accelerate_autoupdate-"
COMMITTED = "committed"
# The steps in which an update can fail; a release that does not run fails in probation.
STEPS = (Step.FETCH, Step.VERIFY, Step.BUILD, Step.REHEARSE, Step.ACTIVATE, Step.PROBATION)


class Metric(NamedTuple):
    """One metric: its name without the prefix, its type and its help text."""

    name: str
    type: str
    meaning: str

    @property
    def full_name(self) -> str:
        """Its name in Prometheus."""
        return f"autoupdate_{self.name}"


METRICS = (
    Metric("info", "gauge", "What is deployed; always 1."),
    Metric("last_run_timestamp_seconds", "gauge", "When the last run ended."),
    Metric("last_check_timestamp_seconds", "gauge", "When upstream last answered."),
    Metric("last_success_timestamp_seconds", "gauge", "When a run last succeeded."),
    Metric("run_exit_code", "gauge", "The exit code of the last run."),
    Metric("run_duration_seconds", "gauge", "How long the last run took."),
    Metric("candidate_seen_timestamp_seconds", "gauge",
           "When the commit that waits was first seen; absent while none waits."),
    Metric("current_commit_timestamp_seconds", "gauge", "When the deployed commit was made."),
    Metric("staged", "gauge", "1 while a release is built and not switched to yet."),
    Metric("held", "gauge", "1 while updates are on hold."),
    Metric("pinned", "gauge", "1 while the app is pinned to a commit."),
    Metric("quarantined_commits", "gauge", "Commits that failed here and are not tried again."),
    Metric("releases", "gauge", "Releases on disk."),
    Metric("release_size_bytes", "gauge", "Size of the current release."),
    Metric("notifications_waiting", "gauge", "Notifications that are not sent yet."),
    Metric("updates_total", "counter", "Updates that were confirmed."),
    Metric("failures_total", "counter", "Updates that failed, by the step they failed in."),
    Metric("rollbacks_total", "counter", "Rollbacks, from a bad release or by hand."),
    Metric("step_duration_seconds", "gauge", "How long each step of the last update took."),
)  # fmt: skip

Labels = Mapping[str, str]
# The samples of a metric: labels without the app, and a value.
Samples = list[tuple[Labels, float]]


def write(app: App, *, staged: bool) -> None:
    """Write the file of an app; if that fails, it is reported and the update goes on.

    `staged`: a release is built and not switched to yet.
    """
    directory = app.settings.metrics.textfile
    try:
        replace(
            f"{directory}/autoupdate-{app.name}.prom",
            exposition(app.name, gather(app, staged=staged)),
        )
    except OSError as error:
        where = error.filename or directory
        app.tell(METRICS_UNWRITABLE, f"{app.name}: cannot write metrics: {where}: {error.strerror}")


def exposition(name: str, gathered: Mapping[str, Samples]) -> str:
    """Return metrics in the text format of Prometheus."""
    lines: list[str] = []
    for metric in METRICS:
        samples = gathered.get(metric.name, [])
        if samples:
            lines.append(f"# HELP {metric.full_name} {metric.meaning}")
            lines.append(f"# TYPE {metric.full_name} {metric.type}")
        for labels, value in samples:
            shown = ",".join(
                f'{key}="{escape(item)}"' for key, item in {"app": name, **labels}.items()
            )
            lines.append(f"{metric.full_name}{{{shown}}} {value:.15g}")
    return "\n".join([*lines, ""])


def gather(app: App, *, staged: bool) -> dict[str, Samples]:
    """Return the samples of an app by the name of the metric."""
    records = app.records
    current = records.release(linked_release(app.paths.current))
    found = {**of_runs(app), **of_history(app), **of_release(app, current)}
    candidate = records.candidate()
    if candidate and (current is None or candidate.commit != current.commit):
        found["candidate_seen_timestamp_seconds"] = one(seconds(candidate.seen_at))
    found["staged"] = one(staged)
    found["held"] = one(hold.find(records, app.clock.now()) is not None)
    found["pinned"] = one(pin.find(records) is not None)
    found["quarantined_commits"] = one(len(records.quarantined()))
    found["releases"] = one(len(records.releases()))
    targets = outbox.targets(app.settings.notify.urls)
    found["notifications_waiting"] = one(
        sum(len(outbox.pending(records, target)) for target in targets)
    )
    return found


def of_runs(app: App) -> dict[str, Samples]:
    """Return when the last runs were, and how they ended."""
    found = {}
    if last := app.records.last_run():
        found["last_run_timestamp_seconds"] = one(seconds(last.finished_at))
        found["run_exit_code"] = one(last.exit_code)
        took = seconds(last.finished_at) - seconds(last.started_at)
        # The clock may have been set back during the run.
        found["run_duration_seconds"] = one(max(0, took))
    if success := app.records.last_success_at():
        found["last_success_timestamp_seconds"] = one(seconds(success))
    if checked := recall(app.records, alerts.CHECKED):
        found["last_check_timestamp_seconds"] = one(seconds(checked.since))
    return found


def of_release(app: App, current: Release | None) -> dict[str, Samples]:
    """Return the metrics of the current release."""
    if current is None:
        return {}
    labels = {"commit": current.commit, "release": current.id, "version": version()}
    found: dict[str, Samples] = {
        "info": [(labels, 1)],
        "release_size_bytes": one(current.bytes),
    }
    if committed := commit_time(app, current.commit):
        found["current_commit_timestamp_seconds"] = one(committed)
    return found


def commit_time(app: App, commit: str) -> int:
    """Return when a commit was made, in seconds since 1970; zero if unknown.

    The worker is asked once for each commit.
    """
    known = recall(app.records, COMMITTED)
    if known and known.about == commit:
        return int(known.since)
    try:
        committed = app.worker.inspect(commit, "", ()).committed_at
    except AutoupdateError:
        # A new mirror may not have this commit.
        return 0
    keep(app.records, COMMITTED, commit, str(committed))
    return committed


def of_history(app: App) -> dict[str, Samples]:
    """Return the totals of all transactions."""
    ended = app.records.rows(
        "SELECT result, step, \"trigger\", count(*) FROM transactions WHERE finished_at <> ''"
        ' GROUP BY result, step, "trigger"'
    )
    failures = dict.fromkeys(STEPS, 0)
    back = {"probation": 0, "hand": 0}
    updates = 0
    for result, step, trigger, number in ended:
        by_hand = trigger == "rollback"
        if result in (Result.ROLLED_BACK, Result.BROKEN):
            back["hand" if by_hand else "probation"] += number
            failures[Step.PROBATION] += 0 if by_hand else number
        elif result in (Result.FAILED, Result.UNREACHABLE) and step in failures:
            failures[Step(step)] += number
        elif result == Result.UPDATED:
            updates += number
    return {
        "updates_total": one(updates),
        "failures_total": [({"step": step}, number) for step, number in failures.items()],
        "rollbacks_total": [({"reason": reason}, number) for reason, number in back.items()],
        "step_duration_seconds": durations(app),
    }


def durations(app: App) -> Samples:
    """Return how long the steps of the last finished update took."""
    rows = app.records.rows("SELECT max(id) FROM transactions WHERE finished_at <> ''")
    taken: dict[str, float] = {}
    for step in app.records.steps(rows[0][0] or 0):
        if step.ended_at:
            taken[step.step] = max(0, seconds(step.ended_at) - seconds(step.began_at))
    return [({"step": step}, length) for step, length in taken.items()]


def one(value: float) -> Samples:
    """Return the samples of a metric that has one sample without labels."""
    return [({}, value)]


def escape(text: str) -> str:
    """Return the value of a label, escaped for the text format."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def version() -> str:
    """Return the version of this package; empty in a source tree.

    It is read from the name of the metadata directory: importlib.metadata takes too long.
    """
    library = os.path.abspath(f"{os.path.dirname(__file__)}/../..")
    return next(iter(_versions(os.listdir(library))), "")


def _versions(names: Iterable[str]) -> list[str]:
    return [
        name.removeprefix(DISTRIBUTION).partition(".egg-info")[0].partition(".dist-info")[0]
        for name in names
        if name.startswith(DISTRIBUTION)
    ]


def replace(file: str, text: str) -> None:
    """Replace a file as a whole, durably; the collector reads *.prom, not the temporary file."""
    temporary = f"{file}.new"
    # The directory may belong to another user, whose links must not be followed.
    remove_link(temporary)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o644)
    with open(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(temporary, file)
    sync_directory(os.path.dirname(file))
