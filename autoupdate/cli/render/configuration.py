"""Text of `config check` and `config show`."""

import json
from typing import Any

from autoupdate.cli.render.layout import (
    FAINT,
    GREEN,
    RED,
    STRONG,
    YELLOW,
    advice,
    coloured,
    fact,
)  # fmt: skip
from autoupdate.model.sizes import counted

KEY = 26


def check(told: dict[str, Any]) -> str:
    """Return the errors and warnings, app by app."""
    lines = [line for one in told["apps"] for line in check_one(one)]
    lines = lines or ["no app is configured on this host"]
    lines += [fact("warning", text, YELLOW, 9) for text in told["warnings"]]
    return "\n".join(lines)


def check_one(told: dict[str, Any]) -> list[str]:
    """Return the errors and warnings of one app's settings."""
    faults, warnings = told["faults"], told["warnings"]
    if faults:
        verdict = coloured(counted(len(faults), "error"), RED)
    else:
        verdict = coloured("no errors", GREEN)
    more = f", {coloured(counted(len(warnings), 'warning'), YELLOW)}" if warnings else ""
    lines = [f"{told['app']}: {verdict}{more}"]
    for fault in faults:
        lines.append(fact("error", fault["message"], RED, 9))
        lines += advice(fault["advice"], 11)
    lines += [fact("warning", text, YELLOW, 9) for text in warnings]
    return lines


def show(told: dict[str, Any]) -> str:
    """Return every setting, those of one file together: the defaults first, then by file name."""
    by_origin: dict[str, list[tuple[str, Any]]] = {}
    for key, item in told["settings"].items():
        by_origin.setdefault(item["origin"] or "", []).append((key, item["value"]))
    lines = [f"{told['app']}: every setting, under the file that sets it"]
    for origin in sorted(by_origin, key=lambda file: (file != "", file)):
        colour = STRONG if origin else FAINT
        lines += ["", coloured(origin or "built-in defaults", colour)]
        lines += [setting(key, value) for key, value in by_origin[origin]]
    return "\n".join(lines)


def setting(key: str, value: Any) -> str:
    """Return one setting as a settings file has it."""
    return fact(key, f"= {json.dumps(value, ensure_ascii=False)}", "", KEY)
