"""The parts of autoupdate.toml(5) that come from the definition of the settings."""

import inspect
import json

from autoupdate.config import values
from autoupdate.config.settings import (
    CREDENTIAL_SETTINGS,
    NEEDED,
    PROBE_SETTINGS,
    REQUIRED,
    SETTINGS,
    Setting,
    credentials,
    probes,
)
from docs.man.mdoc import argument, paragraph, tagged

# How each check of values.py is called in the manual page. A check without an entry is an error.
TYPES: dict[values.Check, str] = {
    values.absolute_path: "absolute path",
    values.address: "string",
    values.boolean: "boolean",
    values.commands: "list of lists of strings",
    values.count: "integer, at least 1",
    values.credential_host: "HOST or HOST:PORT",
    values.duration: "time span",
    values.fingerprints: "list of strings",
    values.http_url: "URL",
    values.limit: "time span",
    values.duration_or_off: 'time span, or "off"',
    values.optional_duration: "time span",
    values.optional_path: "absolute path",
    values.optional_relative_path: "relative path",
    values.optional_service: "unit name",
    values.pattern: "regular expression",
    values.proxy_url: "URL",
    values.rehearsed_services: '"auto", "off" or list of unit names',
    values.relative_paths: "list of relative paths",
    values.nested_paths: "list of relative paths",
    values.link_patterns: "list of relative paths or globs",
    values.secret_file: "absolute path",
    values.service_names: "list of unit names",
    values.share: "percentage",
    values.size: "size",
    values.text: "string",
    values.texts: "list of strings",
    values.track: "string",
    values.upstream_url: "URL",
    values.whole: "integer, at least 0",
    credentials: "list of tables",
    probes: "list of tables",
}


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
    needed_by = {key: kind for kind, key in NEEDED.items()}
    return tagged([explained(setting, needed_by.get(setting.key)) for setting in PROBE_SETTINGS])


def credentials_section() -> list[str]:
    """Explain every key of the credentials of builds."""
    return tagged([explained(setting) for setting in CREDENTIAL_SETTINGS])


def explained(setting: Setting, needed_by: str | None = None) -> tuple[str, list[str]]:
    """Return a key with its type and default as a term, and its meaning.

    `needed_by` is the type of probe that cannot do without this key.
    """
    key = setting.key.rpartition(".")[2]
    if setting.default is REQUIRED:
        default = "required"
    elif needed_by:
        default = f"required for {needed_by}"
    else:
        default = f"default: {json.dumps(setting.default) if setting.default != '' else 'not set'}"
    note = argument(f"({type_of(setting)}; {default})")
    return f"Ic {argument(key)} No {note}", paragraph(setting.meaning)


def type_of(setting: Setting) -> str:
    """Return the type of a setting's value. Raises KeyError for a check without a name here."""
    words = inspect.getclosurevars(setting.check).nonlocals.get("words")
    if words is None:
        return TYPES[setting.check]
    if isinstance(setting.default, list):
        return "list of strings"
    quoted = [f'"{word}"' for word in words]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"
