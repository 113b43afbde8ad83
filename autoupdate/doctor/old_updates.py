"""No old updater may still run: two systems must not update one app."""

import os
import re
from collections.abc import Iterator

from autoupdate.adoption import old_updaters
from autoupdate.adoption.disable_old_updaters import SWITCHED
from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import RELOAD, Finding, Step, command, comment_out
from autoupdate.host.links import linked_release


def old_updates(case: Case) -> Iterator[Finding]:
    """Look for what else updates this app."""
    settings = case.settings
    # Of an app that is not managed, it is the only updater, and `adopt` disables it.
    is_managed = bool(linked_release(case.app.current))
    for item in old_updaters.find(case.paths, settings.path, settings.services):
        what = f"still {item.why} ({item.kind}): {item.text.strip()}"
        steps = cure(case, item)
        typed = " && ".join(map(str, steps))
        if is_managed and steps:
            yield Finding(item.place, what, steps, asks=True)
        else:
            edit = f"systemctl edit --full {item.unit}    # delete the line"
            yield Finding(item.place, what, advice=typed or edit)


def cure(case: Case, item: old_updaters.OldUpdater) -> tuple[Step, ...]:
    """Return the steps that disable an old updater; none if only an editor can."""
    # Only if the line still calls it.
    out = comment_out(item.file, item.line, re.escape(mark(item)))
    if item.kind == old_updaters.CRON:
        # cron(8) notices a changed file by itself.
        return (out,)
    if item.kind == old_updaters.CRON_SCRIPT:
        return (command("chmod", "a-x", item.file),)
    if item.kind in SWITCHED:
        return (command("systemctl", "disable", "--now", item.unit),)
    if item.file.startswith(case.paths.administrators_units) and "\n" not in item.text:
        return (out, RELOAD)
    return ()


def mark(item: old_updaters.OldUpdater) -> str:
    """Return a word in the text of an old updater by which the line is known again."""
    script = re.match(r"runs (\S+), whose", item.why)
    words = (old_updaters.SCRIPT, os.path.basename(script[1]) if script else "git",
             "git", "pip", "uv", "systemctl", "service")  # fmt: skip
    return next((word for word in words if word in item.text), "")
