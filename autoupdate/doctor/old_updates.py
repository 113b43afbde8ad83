"""No old update script may still run: two systems must not update one app."""

import re
from collections.abc import Iterator

from autoupdate.adoption import old_updaters
from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import RELOAD, Finding, command, comment_out


def old_updates(case: Case) -> Iterator[Finding]:
    """Look for what else updates this app."""
    for item in old_updaters.find(case.paths):
        what = f"still runs the old update script ({item.kind}): {item.text.strip()}"
        out = comment_out(item.file, item.line, re.escape(old_updaters.SCRIPT))
        if item.kind == old_updaters.CRON:
            # cron(8) notices a changed file by itself.
            yield Finding(item.place, what, (out,), asks=True)
        elif item.kind == old_updaters.TIMER:
            disable = command("systemctl", "disable", "--now", item.unit)
            yield Finding(item.place, what, (disable,), asks=True)
        elif item.file.startswith(case.paths.administrators_units) and "\n" not in item.text:
            yield Finding(item.place, what, (out, RELOAD), asks=True)
        else:
            edit = f"systemctl edit --full {item.unit}    # delete the line"
            yield Finding(item.place, what, advice=edit)
