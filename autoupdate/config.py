"""Reads the configuration of an app: built-in defaults, the vendor's files, the administrator's."""

import os
import re
from typing import Any, NamedTuple

from autoupdate import settings
from autoupdate.errors import ConfigurationError, NotPermittedError
from autoupdate.paths import Paths
from autoupdate.settings import REQUIRED, SETTINGS, Settings

DEFAULT_APP = "ipfs-accelerate"
APP_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
BY_KEY = {setting.key: setting for setting in SETTINGS}
SECTIONS = {key.partition(".")[0] for key in BY_KEY if "." in key}


class Value(NamedTuple):
    """A value as TOML gives it, and the file that set it; empty for the built-in default."""

    value: Any
    origin: str


def apps(paths: Paths) -> list[str]:
    """Return the names of all apps that are configured on this host."""
    names = set()
    for directory in (f"{paths.vendor}/apps", f"{paths.etc}/apps"):
        for file in _toml_files(directory, allow_directories=True):
            names.add(os.path.basename(file).removesuffix(".toml"))
        for entry in _entries(directory):
            if entry.endswith(".toml.d"):
                names.add(entry.removesuffix(".toml.d"))
    return sorted(names)


def default_app(paths: Paths) -> str:
    """Return the app that is meant when none is named: the only one, or else ipfs-accelerate."""
    names = apps(paths)
    return names[0] if len(names) == 1 else DEFAULT_APP


def load(paths: Paths, app: str) -> Settings:
    """Return the checked settings of one app.

    Raises ConfigurationError, naming file and key, for anything that cannot be used as it stands.
    """
    files = tuple(place for file in bases(paths, app) for place in places(file))
    return build(app, read(paths, app))._replace(files=files)


def bases(paths: Paths, app: str) -> list[str]:
    """Return the files that describe an app, whether they exist or not; later ones win."""
    return [
        f"{directory}/{file}.toml"
        for directory in (paths.vendor, paths.etc)
        for file in ("autoupdate", f"apps/{app}")
    ]


def places(base: str) -> list[str]:
    """Return a file of settings, the directory beside it, and what lies in that."""
    return [base, f"{base}.d", *(f"{base}.d/{name}" for name in _entries(f"{base}.d"))]


def read(paths: Paths, app: str) -> dict[str, Value]:
    """Return the merged values of one app with their origin; later files win."""
    if not APP_NAME.fullmatch(app):
        raise ConfigurationError(
            f'{app!r} cannot be the name of an app: use lower-case letters, digits, ".", "_", "-"'
        )
    known = apps(paths)
    if app not in known:
        raise ConfigurationError(
            f"there is no app {app} on this host{_nearest(app, known)}",
            f"describe it in {paths.etc}/apps/{app}.toml",
        )
    merged = {setting.key: Value(setting.default, "") for setting in SETTINGS}
    for base in bases(paths, app):
        for file in ([base] if os.path.lexists(base) else []) + _toml_files(f"{base}.d"):
            for key, value in _flat(file, _parse(file)):
                merged[key] = Value(value, file)
    return merged


def build(app: str, merged: dict[str, Value]) -> Settings:
    """Check merged values and give them their types."""
    sections: dict[str, dict[str, Any]] = {}
    for key, (value, origin) in merged.items():
        setting = BY_KEY[key]
        where = f"{origin or 'configuration of ' + app}: {key}"
        if value is REQUIRED:
            raise ConfigurationError(
                f"{app} has no {key}, which has no default",
                f"set it in /etc/autoupdate/apps/{app}.toml",
            )
        if key in settings.NOT_YET and value != setting.default:
            raise ConfigurationError(f"{where} is not supported by this version yet")
        try:
            checked = setting.check(value)
        except ValueError as error:
            raise ConfigurationError(f"{where} {error}") from None
        section, _, name = key.rpartition(".")
        sections.setdefault(section, {})[name] = checked
    return Settings(
        app=app,
        **sections[""],
        upstream=settings.Upstream(**sections["upstream"]),
        trust=settings.Trust(**sections["trust"]),
        guard=settings.Guard(**sections["guard"]),
        build=settings.Build(**sections["build"]),
        rehearse=settings.Rehearse(**sections["rehearse"]),
        start=settings.Start(**sections["start"]),
        health=settings.Health(**sections["health"]),
        windows=settings.Windows(**sections["windows"]),
        hooks=settings.Hooks(**sections["hooks"]),
        notify=settings.Notify(**sections["notify"]),
        metrics=settings.Metrics(**sections["metrics"]),
    )


def _entries(directory: str) -> list[str]:
    """Return the names in a directory, sorted, hidden ones (an editor's) left out."""
    try:
        return sorted(name for name in os.listdir(directory) if not name.startswith("."))
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        raise ConfigurationError(f"{directory}: must be a directory") from None
    except PermissionError as error:
        raise NotPermittedError(f"{directory}: {error.strerror}") from None


def _toml_files(directory: str, *, allow_directories: bool = False) -> list[str]:
    """Return the *.toml files of a directory in order of name; another suffix is an error."""
    files = []
    for name in _entries(directory):
        if name.endswith(".toml"):
            files.append(f"{directory}/{name}")
        elif not (allow_directories and name.endswith(".toml.d")):
            raise ConfigurationError(
                f"{directory}/{name}: only files that end in .toml are read here",
                "rename it, or move it away",
            )
    return files


def _parse(file: str) -> dict[str, Any]:
    """Parse one TOML file."""
    import tomllib

    try:
        with open(file, "rb") as stream:
            return tomllib.load(stream)
    except PermissionError as error:
        raise NotPermittedError(f"{file}: {error.strerror}") from None
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: is not UTF-8 at byte {error.start}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{file}: is not TOML: {error}") from None


def _flat(file: str, document: dict[str, Any]) -> list[tuple[str, Any]]:
    """Turn tables into dotted keys, refusing every key that is not known."""
    flat = []
    for key, value in document.items():
        if key in SECTIONS:
            if not isinstance(value, dict):
                raise ConfigurationError(f"{file}: {key} must be a table, written as [{key}]")
            flat += [(f"{key}.{name}", item) for name, item in value.items()]
        else:
            flat.append((key, value))
    for key, _ in flat:
        if key not in BY_KEY:
            raise ConfigurationError(
                f"{file}: unknown key {key!r}{_nearest(key, [*BY_KEY, *SECTIONS])}"
            )
    return flat


def _nearest(word: str, known: list[str]) -> str:
    import difflib

    # A key in the wrong section is close by its last part.
    last = word.rpartition(".")[2]
    close = [name for name in known if name.rpartition(".")[2] == last]
    close = close or difflib.get_close_matches(word, known, 1, 0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"
