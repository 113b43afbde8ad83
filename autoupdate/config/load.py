"""Reads the settings of an app: built-in defaults, the package's files, the administrator's."""

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from autoupdate.config import on_host, renamed, root_only, sections
from autoupdate.config.run_from import DEFAULT_APP
from autoupdate.config.sections import Settings
from autoupdate.config.settings import REQUIRED, SETTINGS
from autoupdate.model.errors import ConfigurationError, NotPermittedError
from autoupdate.model.paths import Paths

APP_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
BY_KEY = {setting.key: setting for setting in SETTINGS}
SECTIONS = {key.partition(".")[0] for key in BY_KEY if "." in key}
# In bytes. A larger file is none that anybody wrote, and would take long to parse.
LARGEST = 1 << 20
# What editors, dpkg, ucf, patch and people leave beside a file that they change.
LEFTOVER = re.compile(
    r"#.*#|.*(~|\.(bak|old|orig|rej|save|swp|swo|tmp|disabled|off)[0-9]*"
    r"|\.(dpkg|ucf)-[a-z]+|\.rpm(save|new|orig))"
)


# Receives each error. `config check` collects them all; everybody else raises the first one.
Report = Callable[[ConfigurationError], None]


class Value(NamedTuple):
    """A value as TOML gives it, and the file that sets it; empty for the built-in default."""

    value: Any
    origin: str


def _raise(error: ConfigurationError) -> None:
    raise error


def apps(paths: Paths) -> list[str]:
    """Return the names of all apps that are configured on this host.

    An app counts by its new name alone, also while its files still have the former one.
    """
    names = set()
    for directory in _of_apps(paths):
        for name in _entries(directory):
            if not _why_foreign(directory, name, of_apps=True):
                app = _app_of(name)
                names.add(renamed.new_name(paths.app(app)) or app)
    return sorted(names)


def is_known(paths: Paths, app: str) -> bool:
    """Return whether an app is configured on this host."""
    return any(
        os.path.lexists(f"{directory}/{name}") and not _why_foreign(directory, name, of_apps=True)
        for directory in _of_apps(paths)
        for name in (f"{app}.toml", f"{app}.toml.d")
    )


def foreign(paths: Paths) -> Iterator[tuple[str, str]]:
    """Yield what is in the directories of settings and is never read, each with the reason."""
    drop_ins = [f"{base}/autoupdate.toml.d" for base in (paths.vendor, paths.etc)]
    for directory in _of_apps(paths):
        for name in _entries(directory):
            place = paths.app(_app_of(name))
            if why := _why_foreign(directory, name, of_apps=True):
                yield f"{directory}/{name}", why
            elif (new := renamed.new_name(place)) and not renamed.unfinished(place):
                yield f"{directory}/{name}", f"its app was renamed to {new}"
            elif name.endswith(".d"):
                drop_ins.append(f"{directory}/{name}")
    for directory in drop_ins:
        for name in _entries(directory):
            if why := _why_foreign(directory, name):
                yield f"{directory}/{name}", why


def default_app(paths: Paths) -> str:
    """Return the app to use when none is named: the only one, or else ipfs-accelerate.

    Raises ConfigurationError when there are several others, or no app at all.
    """
    names = apps(paths)
    if len(names) == 1:
        return names[0]
    if DEFAULT_APP in names:
        return DEFAULT_APP
    if names:
        known = ", ".join(names)
        raise ConfigurationError("this host has several apps: name one of them", f"known: {known}")
    raise ConfigurationError(
        "no app is configured on this host",
        f"describe one in {paths.etc}/apps/NAME.toml, see autoupdate.toml(5)",
    )


def load(paths: Paths, app: str) -> Settings:
    """Return the checked settings of one app.

    Raises ConfigurationError, naming file and key, for anything that cannot be used as it stands.
    """
    return load_with_values(paths, app)[0]


def load_with_values(paths: Paths, app: str) -> tuple[Settings, dict[str, Value]]:
    """Return the checked settings of one app, and the values that they are made of."""
    check_name(app)
    files = tuple(place for file in bases(paths, app) for place in places(file))
    merged = read(paths, app)
    built = build(app, merged)
    for fault in on_host.faults(paths, built, origins(merged)):
        raise fault
    return built._replace(files=files), merged


def origins(values: Mapping[str, Value]) -> Callable[[str], str]:
    """Return a function that says where a key is set, for messages."""
    return lambda key: f"{values[key].origin or 'built-in default'}: {key}"


def is_name(app: str) -> bool:
    """Return whether an app can have this name, so that it can be part of a path."""
    return bool(APP_NAME.fullmatch(app))


def check_name(app: str) -> None:
    """Raise ConfigurationError for an invalid name of an app; the name becomes part of paths."""
    if not is_name(app):
        raise ConfigurationError(
            f"{app!r} cannot be the name of an app: use lower-case letters, digits, "
            '".", "_", "-", 63 at most'
        )


def bases(paths: Paths, app: str) -> list[str]:
    """Return the files that may describe an app, existing or not; later files win."""
    return [
        f"{directory}/{file}.toml"
        for directory in (paths.vendor, paths.etc)
        for file in ("autoupdate", f"apps/{app}")
    ]


def places(base: str) -> list[str]:
    """Return a file of settings, its .d directory, and the files in that."""
    return [base, f"{base}.d", *(f"{base}.d/{name}" for name in _entries(f"{base}.d"))]


def read(
    paths: Paths, app: str, report: Report = _raise, *, is_new: bool = False
) -> dict[str, Value]:
    """Return the merged values of one app with their origin; later files win.

    `is_new`: no file describes the app yet.
    """
    check_name(app)
    renamed.refuse(paths.app(app), app)
    if not is_new and not is_known(paths, app):
        raise ConfigurationError(
            f"there is no app {app} on this host{_nearest(app, apps(paths))}",
            f"describe it in {paths.etc}/apps/{app}.toml",
        )
    merged = {setting.key: Value(setting.default, "") for setting in SETTINGS}
    for base in bases(paths, app):
        for file in ([base] if os.path.lexists(base) else []) + _toml_files(f"{base}.d", report):
            try:
                document = _parse(file, paths)
            except ConfigurationError as error:
                report(error)
                continue
            for key, value in _flat(file, document, report):
                merged[key] = Value(value, file)
    return merged


def checked(
    app: str, merged: dict[str, Value], report: Report = _raise
) -> dict[str, dict[str, Any]]:
    """Check merged values; return the valid ones by section and name, in their types."""
    sections: dict[str, dict[str, Any]] = {}
    for key, (value, origin) in merged.items():
        setting = BY_KEY[key]
        where = f"{origin or 'configuration of ' + app}: {key}"
        section, _, name = key.rpartition(".")
        if value is REQUIRED:
            advice = f"set it in /etc/autoupdate/apps/{app}.toml"
            report(ConfigurationError(f"{app}: {key} is not set, and has no default", advice))
        else:
            try:
                sections.setdefault(section, {})[name] = setting.check(value)
            except ValueError as error:
                report(ConfigurationError(f"{where} {error}"))
    return sections


def build(app: str, merged: dict[str, Value]) -> Settings:
    """Check merged values and convert them to their types. Raises ConfigurationError."""
    found = checked(app, merged)
    first, services = found["health"]["first"], found[""]["services"]
    if first and first not in services:
        where = merged["health.first"].origin
        raise ConfigurationError(
            f"{where}: health.first is {first}, which is not one of services",
            f"services are: {', '.join(services) or 'none'}",
        )
    for name in found["rehearse"]["services"]:
        if name not in (*services, "auto", "off"):
            where = merged["rehearse.services"].origin
            raise ConfigurationError(
                f"{where}: rehearse.services has {name}, which is not one of services",
                f"services are: {', '.join(services) or 'none'}",
            )
    return Settings(
        app=app,
        **found[""],
        upstream=sections.Upstream(**found["upstream"]),
        trust=sections.Trust(**found["trust"]),
        guard=sections.Guard(**found["guard"]),
        build=sections.Build(**found["build"]),
        rehearse=sections.Rehearse(**found["rehearse"]),
        start=sections.Start(**found["start"]),
        health=sections.Health(**found["health"]),
        windows=sections.Windows(**found["windows"]),
        hooks=sections.Hooks(**found["hooks"]),
        notify=sections.Notify(**found["notify"]),
        metrics=sections.Metrics(**found["metrics"]),
    )


def _entries(directory: str) -> list[str]:
    """Return the names in a directory, sorted, without hidden ones (such as an editor's)."""
    try:
        return sorted(name for name in os.listdir(directory) if not name.startswith("."))
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        raise ConfigurationError(f"{directory}: must be a directory") from None
    except PermissionError as error:
        raise NotPermittedError(f"{directory}: {error.strerror}") from None


def _of_apps(paths: Paths) -> tuple[str, str]:
    """Return the directories with the files of the apps."""
    return f"{paths.vendor}/apps", f"{paths.etc}/apps"


def _app_of(name: str) -> str:
    """Return the app that a file or directory of settings describes."""
    return name.removesuffix(".d").removesuffix(".toml")


def _why_foreign(directory: str, name: str, *, of_apps: bool = False) -> str:
    """Return why something in a directory of settings is not read; empty for settings."""
    try:
        mode = os.stat(f"{directory}/{name}").st_mode
    except OSError:
        # A link that leads nowhere: the administrator meant settings, so reading it is an error.
        mode = stat.S_IFREG
    if of_apps and name.endswith(".toml.d"):
        return "" if stat.S_ISDIR(mode) else "it is not a directory"
    if not stat.S_ISREG(mode):
        return "it is not a regular file"
    if name.endswith(".toml"):
        return ""
    return "its name does not end in .toml" if of_apps or LEFTOVER.fullmatch(name) else ""


def _toml_files(directory: str, report: Report = _raise) -> list[str]:
    """Return the *.toml files of a .d directory in order of name; another suffix is an error."""
    files = []
    for name in _entries(directory):
        if _why_foreign(directory, name):
            continue
        if name.endswith(".toml"):
            files.append(f"{directory}/{name}")
        else:
            message = f"{directory}/{name}: only files whose names end in .toml are read here"
            report(ConfigurationError(message, "rename it, or move it away"))
    return files


def _parse(file: str, paths: Paths) -> dict[str, Any]:
    """Parse one TOML file, if only root could have written it."""
    import tomllib

    try:
        if said := root_only.fault(file, paths.root or "/", os.geteuid() if paths.root else 0):
            fix = f"chown root: {file} && chmod go-w {file}"
            raise ConfigurationError(f"{file}: is not trusted: {said}", fix)
        return tomllib.loads(_content(file).decode())
    except PermissionError as error:
        raise NotPermittedError(f"{file}: {error.strerror}") from None
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: is not UTF-8 at byte {error.start}") from None
    except (ValueError, RecursionError) as error:
        # ValueError: also a number with more digits than Python accepts.
        raise ConfigurationError(f"{file}: is not TOML: {error}") from None


def _content(file: str) -> bytes:
    """Return the content of a regular file. Raises OSError, ConfigurationError."""
    # Without O_NONBLOCK, opening a FIFO would wait for a writer.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise ConfigurationError(f"{file}: cannot be read: it is not a regular file")
        with open(descriptor, "rb", closefd=False) as stream:
            content = stream.read(LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > LARGEST:
        raise ConfigurationError(f"{file}: is larger than {LARGEST} bytes")
    return content


def _flat(file: str, document: dict[str, Any], report: Report = _raise) -> list[tuple[str, Any]]:
    """Turn tables into dotted keys, refusing every key that is not known."""
    flat = []
    for key, value in document.items():
        if key not in SECTIONS:
            flat.append((key, value))
        elif isinstance(value, dict):
            flat += [(f"{key}.{name}", item) for name, item in value.items()]
        else:
            message = f"{file}: {key} must be a table, written as [{key}]"
            report(ConfigurationError(message))
    for key, _ in flat:
        if key not in BY_KEY:
            known = _nearest(key, [*BY_KEY, *SECTIONS])
            report(ConfigurationError(f"{file}: unknown key {key!r}{known}"))
    return [(key, value) for key, value in flat if key in BY_KEY]


def _nearest(word: str, known: list[str]) -> str:
    import difflib

    # A key in the wrong section is close by its last part.
    last = word.rpartition(".")[2]
    close = [name for name in known if name.rpartition(".")[2] == last]
    close = close or difflib.get_close_matches(word, known, 1, 0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"
