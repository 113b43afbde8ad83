"""autoupdatectl show"""

import os
from argparse import Namespace
from functools import partial

from autoupdate.cli.output import show as print_facts
from autoupdate.cli.output import tell
from autoupdate.cli.prepare import may_change, prepare, require_root
from autoupdate.cli.render.release import release as words
from autoupdate.cli.verbs.plan import changes as as_json
from autoupdate.config.load import load
from autoupdate.host.clock import Clock
from autoupdate.model.changes import Changes
from autoupdate.model.errors import ConfigurationError, Exit, UpdateFailedError
from autoupdate.model.paths import AppPaths, Paths
from autoupdate.records import release_logs
from autoupdate.records.records import Records
from autoupdate.records.rows import Release
from autoupdate.reports.show import before, facts, find


def show(paths: Paths, app: str, chosen: Namespace) -> int:
    """Print what is known of one release, or its log."""
    load(paths, app)
    app_paths = paths.app(app)
    if chosen.log:
        return show_log(paths, app, chosen)
    if not os.path.exists(app_paths.state):
        raise ConfigurationError(
            f"{app} has no release yet", f"to deploy the first one: autoupdatectl run {app}"
        )
    releases = recorded(app_paths)
    release = find(releases, app_paths, chosen.release)
    former = before(releases, release)
    compared = compare(paths, app, release, former) if may_change(paths) else None
    told = facts(app, app_paths, release, former, as_json(compared) if compared else None)
    told["needs_root"] = not may_change(paths)
    print_facts(told, partial(words, now=Clock().now()), chosen)
    return Exit.DONE


def recorded(paths: AppPaths) -> list[Release]:
    """Return the releases on record."""
    records = Records(paths.state, read_only=True)
    try:
        return records.releases()
    finally:
        records.close()


def show_log(paths: Paths, app: str, chosen: Namespace) -> int:
    """Print the log of a release, also of one that is not on record because it failed."""
    require_root(paths)
    app_paths = paths.app(app)
    found = release_logs.named(app_paths, chosen.release) if chosen.release else []
    if len(found) != 1:
        releases = recorded(app_paths) if os.path.exists(app_paths.state) else []
        found = [find(releases, app_paths, chosen.release).id]
    try:
        text = release_logs.read(app_paths, found[0])
    except FileNotFoundError:
        kept = f"logs are kept of the last {release_logs.MOST_FILES} releases that were built"
        raise ConfigurationError(f"release {found[0]} of {app} has no log", kept) from None
    told = {"app": app, "release": found[0], "log": text.splitlines()}
    tell(told, text.rstrip("\n"), chosen)
    return Exit.DONE


def compare(paths: Paths, app: str, release: Release, former: Release | None) -> Changes | None:
    """Return what a release changed; None if the mirror does not have its commit."""
    worker = prepare(paths, app).worker
    try:
        return worker.compare(release.commit, former.commit if former else "")
    except UpdateFailedError:
        return None
    finally:
        worker.close()
