"""Writes the facts for the fast path at the end of a run that found nothing new."""

import os

from autoupdate.app import App, Outcome
from autoupdate.host import runtime_files
from autoupdate.host.log import fields_of
from autoupdate.host.process import Identity
from autoupdate.model.errors import Exit
from autoupdate.model.events import CURRENT, Event
from autoupdate.model.paths import Paths
from autoupdate.model.steps import Result
from autoupdate.model.track import branch_ref
from autoupdate.records import outbox
from autoupdate.service_start import fast_path_facts
from autoupdate.upstream.git_environment import git_environment, is_open


def leave(
    app: App, outcome: Outcome, paths: Paths, identity: Identity | None, began: float
) -> None:
    """Let the next run take the fast path, if this one only compared two commits.

    `began`: the time before the settings were read, in seconds since 1970.
    """
    settings = app.settings
    if (outcome.result, outcome.exit_code) != (Result.CURRENT, Exit.DONE) or not outcome.commit:
        return
    # The fast path writes no metrics, and asks for branches only.
    ref = branch_ref(settings.upstream.track)
    # The fast path has no credentials, no proxy setting and no special certificates.
    if settings.metrics.textfile or not ref or not is_open(settings.upstream):
        return
    # Keys can be removed or expire: every run checks the signature of the current release.
    if settings.trust.signatures != "off":
        return
    if settings.notify.urls and outbox.is_waiting(app.records):
        return
    if app.records.unfinished():
        # Its services still have to be watched.
        return
    if os.path.exists(app.paths.unremoved):
        # Every run tries again to remove it.
        return
    read_before = [*settings.files, f"{paths.vendor}/apps", f"{paths.etc}/apps"]
    if any(fast_path_facts.changed_since(path, began) for path in read_before):
        # This run may have read the old content.
        return
    ours = [
        app.paths.state, f"{app.paths.state}-journal", app.paths.current, app.paths.releases,
        app.paths.shared, settings.path, fast_path_facts.__file__,
    ]  # fmt: skip
    event = Event(CURRENT, outcome.reason, app.name, outcome.commit, outcome.release)
    python = settings.build.python
    environment = git_environment(paths.cache)
    facts = {
        "url": [settings.upstream.url],
        "ref": [ref],
        "commit": [outcome.commit],
        "timeout": [str(settings.upstream.timeout)],
        "user": [f"{identity.uid}:{identity.gid}" if identity else ""],
        "environment": [f"{name}={value}" for name, value in environment.items()],
        "proxies": [fast_path_facts.proxies()],
        "reason": [outcome.reason],
        "field": fields_of(event),
        "asked_by_starts": ["yes" if settings.start.update else "no"],
        "fresh_for": [str(settings.start.fresh_for)],
        "stamp": runtime_files.stamp(app.paths, python, settings.files),
        "watched": [
            f"{fast_path_facts.fingerprint(path)} {path}" for path in (*read_before, *ours)
        ],
        "leads": [f"{python} -> {os.path.realpath(python)}"],
        "present": [f"{app.paths.release(outcome.release)}/.venv/bin/python"],
        # The last line: without it the file is not complete.
        "end": [fast_path_facts.FORMAT],
    }
    try:
        fast_path_facts.write(app.paths.known, facts)
    except OSError:
        # Without the file the next run is a usual one.
        return
