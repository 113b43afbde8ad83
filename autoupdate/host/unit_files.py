"""Reads unit files as text (systemd.syntax(7)), to find what systemd itself does not report."""

import os
import re
from contextlib import suppress
from typing import NamedTuple

from autoupdate.model.paths import Paths


class Directive(NamedTuple):
    """One assignment of a unit file: its first line, and its text as written there."""

    file: str
    line: int
    key: str
    value: str
    text: str
    section: str = ""


def unit_files(paths: Paths, suffix: str) -> dict[str, str]:
    """Return the file of each unit with a suffix, by name, from the directory that has priority."""
    found: dict[str, str] = {}
    for directory in paths.unit_directories:
        for name in entries(directory):
            if name.endswith(suffix):
                found.setdefault(name, f"{directory}/{name}")
    return found


def drop_ins(paths: Paths, unit: str) -> dict[str, str]:
    """Return the drop-ins of a unit by name, in the order in which systemd reads them."""
    found: dict[str, str] = {}
    for directory in paths.unit_directories:
        for name in entries(f"{directory}/{unit}.d"):
            if name.endswith(".conf"):
                found.setdefault(name, f"{directory}/{unit}.d/{name}")
    return dict(sorted(found.items()))


def directives(file: str) -> list[Directive]:
    """Return the assignments of a unit file; a file that cannot be read has none."""
    found: list[Directive] = []
    text: list[str] = []
    section = ""
    for number, line in enumerate(lines(file), start=1):
        comment = re.match(r"\s*[#;]", line)
        if not text and (header := re.fullmatch(r"\[(.+)\]\s*", line)):
            section = header[1]
        if comment or (not text and "=" not in line):
            continue
        text.append(line)
        if not line.endswith("\\"):
            whole = "\n".join(text)
            key, _, value = re.sub(r"\\\n", " ", whole).partition("=")
            begin = number - len(text) + 1
            found.append(Directive(file, begin, key.strip(), value.strip(), whole, section))
            text = []
    return found


def service_of(timer: str, file: str) -> str:
    """Return the service that a timer starts (systemd.timer(5), Unit=); `file` is its unit file."""
    named = [line.value for line in directives(file) if line.key == "Unit"]
    return named[-1] if named else f"{timer.removesuffix('.timer')}.service"


def lines(file: str) -> list[str]:
    """Return the lines of a text file; none if this user cannot read it."""
    with suppress(OSError), open(file, encoding="utf-8", errors="surrogateescape") as stream:
        return stream.read().splitlines()
    return []


def entries(directory: str) -> list[str]:
    """Return the sorted names in a directory; none if it cannot be read or does not exist."""
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        return sorted(os.listdir(directory))
    return []
