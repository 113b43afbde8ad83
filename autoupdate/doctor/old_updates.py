"""No old updater may still run: two systems must not update one app."""

import os
import re
from collections.abc import Iterator

from autoupdate.adoption import old_updaters
from autoupdate.adoption.disable_old_updaters import SWITCHED
from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import RELOAD, Finding, command, comment_out


def old_updates(case: Case) -> Iterator[Finding]:
    """Look for what else updates this app."""
    settings = case.settings
    for item in old_updaters.find(case.paths, settings.path, settings.services):
        what = f"still {item.why} ({item.kind}): {item.text.strip()}"
        # Only if the line still calls it.
        out = comment_out(item.file, item.line, re.escape(mark(item)))
        if item.kind == old_updaters.CRON:
            # cron(8) notices a changed file by itself.
            yield Finding(item.place, what, (out,), asks=True)
        elif item.kind == old_updaters.CRON_SCRIPT:
            yield Finding(item.place, what, (command("chmod", "a-x", item.file),), asks=True)
        elif item.kind in SWITCHED:
            disable = command("systemctl", "disable", "--now", item.unit)
            yield Finding(item.place, what, (disable,), asks=True)
        elif item.file.startswith(case.paths.administrators_units) and "\n" not in item.text:
            yield Finding(item.place, what, (out, RELOAD), asks=True)
        else:
            edit = f"systemctl edit --full {item.unit}    # delete the line"
            yield Finding(item.place, what, advice=edit)


def mark(item: old_updaters.OldUpdater) -> str:
    """Return a word in the text of an old updater by which the line is known again."""
    script = re.match(r"runs (\S+), whose", item.why)
    words = (old_updaters.SCRIPT, os.path.basename(script[1]) if script else "git",
             "git", "pip", "uv", "systemctl", "service")  # fmt: skip
    return next((word for word in words if word in item.text), "")
