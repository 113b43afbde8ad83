"""The parts of autoupdate.toml(5) that the definition of the settings knows."""

import json

from autoupdate.config.settings import PROBE_SETTINGS, REQUIRED, SETTINGS, Setting
from docs.man.mdoc import argument, paragraph, tagged


def settings_section() -> list[str]:
    """Explain every setting, table by table."""
    tables: dict[str, list[Setting]] = {}
    for setting in SETTINGS:
        tables.setdefault(setting.key.rpartition(".")[0], []).append(setting)
    lines: list[str] = []
    for table, settings in tables.items():
        title = f"The [{table}] table" if table else "Outside of any table"
        lines += [f".Ss {title}", *tagged([explained(setting) for setting in settings])]
    return lines


def probes_section() -> list[str]:
    """Explain every key of a probe."""
    return tagged([explained(setting) for setting in PROBE_SETTINGS])


def explained(setting: Setting) -> tuple[str, list[str]]:
    """Return a key with its default as a term, and what it means and must be."""
    key = setting.key.rpartition(".")[2]
    if setting.default is REQUIRED:
        term = f"Ic {argument(key)}"
    else:
        term = f"Ic {argument(key)} No = {argument(json.dumps(setting.default))}"
    lines = paragraph(setting.meaning) + paragraph(f"It {what_it_must_be(setting)}.")
    if setting.default is REQUIRED:
        lines.append("There is no default.")
    return term, lines


def what_it_must_be(setting: Setting) -> str:
    """Return the words by which the check of a setting refuses what has no fitting type."""
    try:
        setting.check(object())
    except ValueError as error:
        return str(error)
    raise TypeError(f"the check of {setting.key} accepts anything")
