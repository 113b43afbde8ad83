"""autoupdatectl doctor"""

import os
from argparse import Namespace
from typing import Any

from autoupdate.cli.output import ask, can_ask, put, safe, show
from autoupdate.cli.prepare import require_root
from autoupdate.cli.render.doctor import doctor as words
from autoupdate.cli.render.doctor import treated
from autoupdate.config.load import build, load, read
from autoupdate.config.run_from import located
from autoupdate.doctor import cure, leftovers
from autoupdate.doctor.case import Case
from autoupdate.doctor.examine import examine
from autoupdate.doctor.finding import Finding, Step
from autoupdate.doctor.host_facts import HostFacts
from autoupdate.host.clock import Clock
from autoupdate.host.services import Systemd
from autoupdate.model.errors import ConfigurationError, Exit
from autoupdate.model.paths import Paths
from autoupdate.records.records import Records
from autoupdate.reports import config_lint


def doctor(paths: Paths, app: str, chosen: Namespace) -> int:
    """Print the problems on this host for one app, each with what heals it; with --fix, heal."""
    load(paths, app)
    if chosen.yes and not chosen.fix:
        raise ConfigurationError(
            "--yes means something only with --fix; nothing was changed",
            "see: autoupdatectl doctor --help",
        )
    done = []
    if chosen.fix:
        require_root(paths)
        done = heal(paths, app, chosen)
    found, notes = look(paths, app)
    told = {
        "app": app,
        "notes": notes,
        "findings": [facts(finding) for finding in found],
        "treated": [
            {**facts(item.finding), "done": item.done, "why": item.why or None} for item in done
        ],
        "as_root": os.geteuid() == 0,
    }
    show(told, words, chosen)
    return Exit.FAILED if found else Exit.DONE


def look(paths: Paths, app: str) -> tuple[list[Finding], list[str]]:
    """Return the problems, and what looks like one and is none."""
    settings = located(load(paths, app), Systemd().directives, paths.app(app))
    state = paths.app(app).state
    records = Records(state, read_only=True) if os.path.exists(state) else None
    try:
        case = Case(paths, settings, records, HostFacts(paths), Clock().now())
        return [*in_settings(paths, app), *examine(case)], leftovers.notes(case)
    finally:
        if records:
            records.close()


def heal(paths: Paths, app: str, chosen: Namespace) -> list[cure.Treated]:
    """Do the steps that doctor prints, and say so."""

    def agrees(finding: Finding) -> bool:
        return bool(chosen.yes) or (can_ask(chosen) and asked(finding))

    def do(step: Step) -> str:
        if not chosen.json:
            put(safe(f"# {step}"))
        return cure.do(step)

    done = cure.heal(look(paths, app)[0], lambda: look(paths, app)[0], do, agrees)
    if not chosen.json and done:
        put(safe("\n".join([*map(treated, done), ""])))
    return done


def asked(finding: Finding) -> bool:
    """Show a cure, and ask whether it may be done."""
    put(safe(f"{finding.about}: {finding.what}\n    {finding.mend}"))
    return ask("Do it?")


def facts(finding: Finding) -> dict[str, Any]:
    """Return what `doctor --json` prints of a problem."""
    return {"about": finding.about, "what": finding.what, "mend": finding.mend}


def in_settings(paths: Paths, app: str) -> list[Finding]:
    """Return the errors and warnings of the settings as problems."""
    values = read(paths, app)
    settings = located(build(app, values), Systemd().directives, paths.app(app))
    faults = [
        *config_lint.faults(paths, settings, values),
        *config_lint.unknown_targets(settings, values),
    ]
    edit = f"sensible-editor {paths.etc}/apps/{app}.toml"
    return [
        *(Finding("settings", error.message, advice=error.advice) for error in faults),
        *(
            Finding("settings", text, advice=edit)
            for text in config_lint.warnings(paths, settings, values)
        ),
    ]
