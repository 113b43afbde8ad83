"""The unit of a service: its files with drop-ins, and what systemd makes of them."""

import os
import re
from typing import NamedTuple

from autoupdate.host.process import NotStartedError, TimedOutError, base_environment, run
from autoupdate.host.systemd_retry import insist
from autoupdate.host.unit_files import Directive, directives
from autoupdate.model.errors import HostFaultError

PROPERTIES = (
    "Id,LoadState,FragmentPath,DropInPaths,Type,User,Group,DynamicUser,TriggeredBy,MemoryMax,"
    "RuntimeDirectory,StateDirectory,CacheDirectory,LogsDirectory,ConfigurationDirectory,"
    "RuntimeDirectoryMode,StateDirectoryMode,CacheDirectoryMode,LogsDirectoryMode"
)


class Unit(NamedTuple):
    """A service: its name, its properties as `systemctl show` prints them, its assignments."""

    name: str
    properties: dict[str, str]
    lines: tuple[Directive, ...]

    def get(self, name: str) -> str:
        """Return a property; empty if it is not set."""
        return self.properties.get(name, "")

    def last(self, key: str) -> str:
        """Return what the unit's files assign to a key last; empty for nothing."""
        return ([line.value for line in self.lines if line.key == key] or [""])[-1]

    @property
    def text(self) -> str:
        """All assignments, for comparison."""
        return "\n".join(f"{line.section}.{line.key}={line.value}" for line in self.lines)


def systemctl(*arguments: str, timeout: float = 60) -> str:
    """Return what systemctl(1) prints. Raises HostFaultError with what it says."""
    try:
        done = insist(
            lambda: run(
                ["systemctl", *arguments], environment=base_environment("/root"), timeout=timeout
            )
        )
    except (NotStartedError, TimedOutError) as error:
        raise HostFaultError(str(error)) from None
    if done is None or done.returncode:
        said = done.stderr.strip().partition("\n")[0] if done else "no answer"
        raise HostFaultError(f"systemctl {arguments[0]}: {said}")
    return done.stdout.decode(errors="surrogateescape")


def read(names: tuple[str, ...]) -> dict[str, Unit]:
    """Return the units of services. Raises HostFaultError if systemd does not answer."""
    if not names:
        return {}
    shown = systemctl("show", f"--property={PROPERTIES}", "--", *names)
    found = {}
    for name, block in zip(names, shown.strip("\n").split("\n\n"), strict=False):
        known = dict(line.partition("=")[::2] for line in block.splitlines())
        files = [known.get("FragmentPath", ""), *known.get("DropInPaths", "").split()]
        lines = [line for file in filter(None, files) for line in directives(file)]
        found[name] = Unit(name, known, tuple(lines))
    return found


def specifiers(unit: Unit) -> dict[str, str]:
    """Return the specifiers that depend on a unit's name and file (systemd.unit(5))."""
    full = unit.name
    stem = full.rpartition(".")[0]
    prefix, _, instance = stem.partition("@")
    last = prefix.rpartition("-")[2]
    file = unit.get("FragmentPath")
    return {
        "n": full, "N": stem, "p": prefix, "P": unescaped(prefix), "i": instance,
        "I": unescaped(instance), "j": last, "J": unescaped(last),
        "f": "/" + unescaped(instance or prefix).lstrip("/"),
        "y": file, "Y": os.path.dirname(file),
    }  # fmt: skip


def unescaped(name: str) -> str:
    """Undo the escapes of a unit's name (systemd-escape(1))."""
    return re.sub(
        r"\\x([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), name.replace("-", "/")
    )


def with_own_specifiers(value: str, known: dict[str, str], *, is_quoted: bool) -> str:
    """Replace the specifiers that would mean another name in a unit of another name.

    `is_quoted`: backslashes are escapes in this value (systemd.syntax(7)).
    """

    def replaced(match: "re.Match[str]") -> str:
        text = known.get(match[1])
        if text is None:
            return match[0]
        text = text.replace("%", "%%")
        return text.replace("\\", "\\\\") if is_quoted else text

    return re.sub(r"%(.)", replaced, value)
