"""autoupdatectl doctor"""

import os
from argparse import Namespace

from autoupdate.cli.output import show
from autoupdate.cli.render.doctor import doctor as words
from autoupdate.config.load import build, load, read
from autoupdate.config.run_from import located
from autoupdate.host.clock import Clock
from autoupdate.host.services import Systemd
from autoupdate.model.errors import Exit
from autoupdate.model.paths import Paths
from autoupdate.records.records import Records
from autoupdate.reports import config_lint
from autoupdate.reports.doctor import Case, Finding, examine
from autoupdate.reports.host_facts import HostFacts


def doctor(paths: Paths, app: str, chosen: Namespace) -> int:
    """Print the problems on this host for one app, each with the command that fixes it."""
    settings = located(load(paths, app), Systemd().directives, paths.app(app))
    state = paths.app(app).state
    records = Records(state, read_only=True) if os.path.exists(state) else None
    case = Case(paths, settings, records, HostFacts(paths), Clock().now())
    found = [*in_settings(paths, app), *examine(case)]
    told = {
        "app": app,
        "findings": [finding._asdict() for finding in found],
        "as_root": os.geteuid() == 0,
    }
    show(told, words, chosen)
    return Exit.FAILED if found else Exit.DONE


def in_settings(paths: Paths, app: str) -> list[Finding]:
    """Return the errors and warnings of the settings as problems."""
    values = read(paths, app)
    settings = located(build(app, values), Systemd().directives, paths.app(app))
    faults = [
        *config_lint.faults(paths, settings, values),
        *config_lint.unknown_targets(settings, values),
    ]
    return [
        *(Finding("settings", error.message, error.advice) for error in faults),
        *(
            Finding("settings", text, f"sensible-editor {paths.etc}/apps/{app}.toml")
            for text in config_lint.warnings(paths, settings, values)
        ),
    ]
