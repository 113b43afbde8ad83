"""autoupdatectl show"""

import os
from argparse import Namespace
from functools import partial

from autoupdate.cli.output import show as print_facts
from autoupdate.cli.prepare import may_change, prepare
from autoupdate.cli.render.release import release as words
from autoupdate.cli.verbs.plan import changes as as_json
from autoupdate.config.load import load
from autoupdate.host.clock import Clock
from autoupdate.model.changes import Changes
from autoupdate.model.errors import ConfigurationError, Exit, UpdateFailedError
from autoupdate.model.paths import Paths
from autoupdate.records.records import Records
from autoupdate.records.rows import Release
from autoupdate.reports.show import before, facts, find


def show(paths: Paths, app: str, chosen: Namespace) -> int:
    """Print what is known of one release."""
    load(paths, app)
    app_paths = paths.app(app)
    if not os.path.exists(app_paths.state):
        raise ConfigurationError(
            f"{app} has no release yet", f"to deploy the first one: autoupdatectl run {app}"
        )
    records = Records(app_paths.state, read_only=True)
    releases = records.releases()
    records.close()
    release = find(releases, app_paths, chosen.release)
    former = before(releases, release)
    compared = compare(paths, app, release, former) if may_change(paths) else None
    told = facts(app, app_paths, release, former, as_json(compared) if compared else None)
    told["needs_root"] = not may_change(paths)
    print_facts(told, partial(words, now=Clock().now()), chosen)
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
