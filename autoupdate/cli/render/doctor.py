"""Words for `doctor`."""

from typing import Any

from autoupdate.cli.render.layout import FAINT, GREEN, RED, STRONG, coloured, counted, wrapped


def doctor(told: dict[str, Any]) -> str:
    """Return everything that is wrong, each with what mends it."""
    findings = told["findings"]
    if findings:
        lines = [f"{told['app']}: {coloured(counted(len(findings), 'finding'), RED)}"]
    else:
        lines = [f"{told['app']}: {coloured('all is well', GREEN)}"]
    for finding in findings:
        lines += ["", *wrapped(f"{coloured(finding['about'], STRONG)}: {finding['what']}", 80)]
        # To be copied as it is, so it is not broken into lines.
        lines.append(f"    {finding['mend']}")
    if not told["as_root"]:
        lines += ["", coloured("as root, more is looked at", FAINT)]
    return "\n".join(lines)
