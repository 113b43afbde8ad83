"""Text of `doctor`."""

from typing import Any

from autoupdate.cli.render.layout import FAINT, GREEN, RED, STRONG, WIDTH, coloured, wrapped
from autoupdate.doctor.cure import Treated
from autoupdate.model.sizes import counted


def treated(item: Treated) -> str:
    """Return what was done about a problem."""
    if item.done:
        return f"{coloured('done', GREEN)}      {item.finding.about}"
    return f"{coloured('not done', RED)}  {item.finding.about}: {item.why}"


def doctor(told: dict[str, Any]) -> str:
    """Return the problems, each with the command that fixes it."""
    findings = told["findings"]
    if findings:
        lines = [f"{told['app']}: {coloured(counted(len(findings), 'problem'), RED)}"]
    else:
        lines = [f"{told['app']}: {coloured('no problems found', GREEN)}"]
    for finding in findings:
        about = finding["about"]
        first, *more = wrapped(f"{about}: {finding['what']}", WIDTH)
        lines += ["", first.replace(about, coloured(about, STRONG), 1), *more]
        # Administrators copy the command: it is on one line, however long.
        lines.append(f"    {finding['mend']}")
    for note in told["notes"]:
        lines += ["", *wrapped(note, WIDTH)]
    if not told["as_root"]:
        lines += ["", coloured("not everything was checked: run it as root for all checks", FAINT)]
    return "\n".join(lines)
