"""The parts of unit files that the stand-in for systemd understands: how to start a service.

It ignores sandbox, limits and ordering: a container does not have the rights for them.
"""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

DIRECTORIES = (
    Path("/etc/systemd/system"),
    Path("/usr/local/lib/systemd/system"),
    Path("/usr/lib/systemd/system"),
    Path("/lib/systemd/system"),
)
_DEFAULT_PAUSE = "100ms"
_UNITS_OF_TIME = {"ms": 0.001, "s": 1.0, "": 1.0, "min": 60.0}


class Command(NamedTuple):
    """One command line; "+" before it means: as root, independent of User=."""

    words: tuple[str, ...]
    as_root: bool
    may_fail: bool


class UnitFile(NamedTuple):
    """A service, with its drop-ins."""

    name: str
    user: str
    directory: str
    environment: dict[str, str]
    before_start: tuple[Command, ...]
    main: Command
    oneshot: bool
    restarts: bool
    pause: float
    """Seconds between an exit and the next start."""


def load(name: str, directories: Sequence[Path] = DIRECTORIES) -> UnitFile | None:
    """Read a service's unit file and drop-ins; None if there is no such unit."""
    template = re.sub(r"@[^@]+(\.\w+)$", r"@\1", name)
    instance = name[name.find("@") + 1 :].rpartition(".")[0] if "@" in name else ""
    file = _first(directories, name) or _first(directories, template)
    if file is None:
        return None
    settings: dict[str, list[str]] = {}
    for path in [file, *_drop_ins(directories, {name, template})]:
        _read(path.read_text(), instance, settings)
    return _service(name, settings)


def _first(directories: Sequence[Path], name: str) -> Path | None:
    candidates = (directory / name for directory in directories)
    return next((path for path in candidates if path.is_file()), None)


def _drop_ins(directories: Sequence[Path], names: set[str]) -> list[Path]:
    """Return drop-ins in the order of their names; of equal names, that in the first directory."""
    found: dict[str, Path] = {}
    for directory in directories:
        for name in sorted(names):
            for path in (directory / f"{name}.d").glob("*.conf"):
                found.setdefault(path.name, path)
    return [found[name] for name in sorted(found)]


def _read(text: str, instance: str, settings: dict[str, list[str]]) -> None:
    """Collect the values of each key of [Service]; an empty value resets the list."""
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and line[0] not in "#;":
            key, _, value = line.partition("=")
            value = value.strip().replace("%i", instance).replace("%%", "%")
            if value:
                settings.setdefault(key.strip(), []).append(value)
            else:
                settings[key.strip()] = []


def _service(name: str, settings: dict[str, list[str]]) -> UnitFile:
    def last(key: str, default: str = "") -> str:
        return settings.get(key, [default])[-1]

    pairs = [word for line in settings.get("Environment", []) for word in shlex.split(line)]
    return UnitFile(
        name=name,
        user=last("User"),
        directory=last("WorkingDirectory", "/"),
        environment=dict(pair.split("=", 1) for pair in pairs),
        before_start=tuple(_command(line) for line in settings.get("ExecStartPre", [])),
        main=_command(last("ExecStart")),
        oneshot=last("Type", "simple") == "oneshot",
        restarts=last("Restart", "no") == "always",
        pause=_seconds(last("RestartSec", _DEFAULT_PAUSE)),
    )


def _command(line: str) -> Command:
    rest = line.lstrip("-+!:@")
    prefixes = line[: len(line) - len(rest)]
    return Command(tuple(shlex.split(rest)), "+" in prefixes, "-" in prefixes)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([0-9.]+)\s*(ms|s|min|)", text)
    if not found:
        raise ValueError(f"{text!r} is no time span that the stand-in understands")
    return float(found[1]) * _UNITS_OF_TIME[found[2]]
