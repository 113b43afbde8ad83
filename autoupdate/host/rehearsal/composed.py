"""The text of the units of a rehearsal (systemd.syntax(7)), made from those of the services."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from autoupdate.config.run_from import GATE
from autoupdate.host.process import Identity
from autoupdate.host.rehearsal import sandbox
from autoupdate.host.rehearsal.scratch import Scratch
from autoupdate.host.rehearsal.units import Unit, specifiers, with_own_specifiers
from autoupdate.host.unit_files import Directive

COMMANDS = ("ExecStart", "ExecStartPre", "ExecStartPost", "ExecCondition")
# Here a backslash is an escape.
QUOTED = (*COMMANDS, "Environment", "PassEnvironment", "UnsetEnvironment")
# What systemd reads itself, outside of the sandbox; then what it mounts from outside.
READ_OUTSIDE = ("EnvironmentFile", "LoadCredential", "LoadCredentialEncrypted")
MOUNTED = ("BindReadOnlyPaths", "BindPaths")
# systemd sets these for the directories of a unit.
DIRECTORIES = {
    "RuntimeDirectory": ("/run", "RUNTIME_DIRECTORY"),
    "StateDirectory": ("/var/lib", "STATE_DIRECTORY"),
    "CacheDirectory": ("/var/cache", "CACHE_DIRECTORY"),
    "LogsDirectory": ("/var/log", "LOGS_DIRECTORY"),
}
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - shm_overview(7); replaced by another one
TYPES = ("simple", "exec", "forking", "oneshot", "notify", "notify-reload")
# How much longer than it should a unit lives whose run was killed, in seconds.
MARGIN = 30.0


class Plan(NamedTuple):
    """What the units of one rehearsal have in common."""

    app: str
    scratch: Scratch
    holder: str
    """The unit whose network and private directories the others join."""
    names: Mapping[str, str]
    """The name of its rehearsal, for each service."""
    hidden: Sequence[str]
    """Sockets of the host that are out of reach in it."""
    memory: int
    """In bytes, for each."""
    time: float
    """How long the services are watched, in seconds."""
    find_user: Callable[[str], Identity | None]


def marker(app: str) -> str:
    """Return the first line of the units of an app, by which they are known."""
    return f"# Rehearsal of a release of {app}; removed at its end."


def holder(plan: Plan, life: float) -> str:
    """Return the unit that holds the network and the private directories of a rehearsal."""
    return _text(plan, f"Sandbox for rehearsals of {plan.app}", [], [
        "Type=exec", "ExecStart=/usr/bin/sleep infinity", "CapabilityBoundingSet=",
        *_lines(plan), _limit(life + plan.time), "PrivateDevices=yes",
    ])  # fmt: skip


def prober(plan: Plan, number: int, user: str, timeout: float) -> str:
    """Return the unit that tries one probe once; question and answer are files."""
    where = f"{escaped(plan.scratch.probes)}/{number}"
    who = [f"User={user}"] if user else ["CapabilityBoundingSet="]
    return _text(plan, f"Probe of a rehearsal of {plan.app}", _joins(plan, ()), [
        "Type=oneshot", "ExecStart=/usr/bin/python3 -I /usr/lib/autoupdate/probe", *who,
        *_lines(plan), f"TimeoutStartSec={timeout + MARGIN:.0f}s", "PrivateDevices=yes",
        f"StandardInput=file:{where}.json", f"StandardOutput=truncate:{where}.answer",
    ])  # fmt: skip


def service(plan: Plan, unit: Unit, start: float) -> str:
    """Return the unit that rehearses a service, whose start may take `start` seconds."""
    after = [
        name
        for line in unit.lines
        if line.section == "Unit" and line.key == "After"
        for name in line.value.split()
        if name in plan.names
    ]
    kind = unit.get("Type")
    lines = [*_own_lines(plan, unit), *_lines(plan), f"TimeoutStartSec={start + 1:.0f}s"]
    lines += [f"Type={kind if kind in TYPES else 'simple'}"]
    life = ["RemainAfterExit=yes"] if kind == "oneshot" else [_limit(start + plan.time)]
    lines += [*life, f"MemoryMax={memory_of(plan, unit)}"]
    if not any(unit.last(key) for key in sandbox.NEEDS_DEVICES):
        lines.append("PrivateDevices=yes")
    lines += ["Environment=AUTOUPDATE_REHEARSAL=1", *_private_directories(plan, unit)]
    of = f"Rehearsal of {unit.name} in release {plan.scratch.release}"
    return _text(plan, of, _joins(plan, after), lines)


def memory_of(plan: Plan, unit: Unit) -> int:
    """Return the bytes that the rehearsal of a service may use: its own limit, if it is smaller."""
    own = unit.get("MemoryMax")
    return min(plan.memory, int(own)) if own.isdigit() else plan.memory


def escaped(value: str) -> str:
    """Return a text in which systemd finds no specifier."""
    return value.replace("%", "%%")


def _text(plan: Plan, description: str, of_unit: Sequence[str], of_service: Sequence[str]) -> str:
    return "\n".join([
        marker(plan.app), "[Unit]", f"Description={escaped(description)}",
        "StartLimitIntervalSec=0", "CollectMode=inactive", *of_unit, "[Service]", *of_service, "",
    ])  # fmt: skip


def _joins(plan: Plan, after: Sequence[str]) -> list[str]:
    others = [plan.names[name] for name in after]
    return [f"JoinsNamespaceOf={plan.holder}", f"After={' '.join([plan.holder, *others])}"]


def _limit(life: float) -> str:
    """Return the limit after which a unit ends by itself, when its run was killed."""
    return f"RuntimeMaxSec={life + MARGIN:.0f}s"


def _lines(plan: Plan) -> Iterator[str]:
    """Yield the sandbox: nothing of the host can be written, and the release takes its place."""
    scratch, home = plan.scratch, plan.scratch.paths.home
    release = scratch.paths.release(scratch.release)
    yield from sandbox.LINES
    yield f"BindReadOnlyPaths={pair(scratch.view, home)}"
    yield f"BindReadOnlyPaths={pair(release, release)}"
    yield f"BindPaths={pair(scratch.shared, scratch.paths.shared)}"
    # No temporary file systems: each command of a unit would get one of its own.
    yield f"BindPaths={pair(scratch.run, '/run')}"
    yield f"BindPaths={pair(scratch.memory, SHARED_MEMORY)}"
    for place in plan.hidden:
        yield f"InaccessiblePaths={quoted('-' + place)}"


def _own_lines(plan: Plan, unit: Unit) -> Iterator[str]:
    """Yield what a service's own unit says, as far as it counts in a sandbox."""
    known = specifiers(unit)
    for line in unit.lines:
        if line.section != "Service" or line.key.startswith("X-"):
            continue
        if line.key in COMMANDS and line.value:
            if _is_gate(line):
                continue
            value = _without_privileges(line.value)
            yield f"{line.key}={with_own_specifiers(value, known, is_quoted=True)}"
            continue
        if line.key in READ_OUTSIDE:
            yield f"{line.key}={_moved(line, plan.scratch)}"
        elif line.key in MOUNTED:
            # What a service would write to the host it may only read.
            yield f"BindReadOnlyPaths={_moved(line, plan.scratch)}"
        elif line.key not in sandbox.LEFT_OUT:
            is_quoted = line.key in QUOTED
            yield f"{line.key}={with_own_specifiers(line.value, known, is_quoted=is_quoted)}"


def _is_gate(line: Directive) -> bool:
    return line.value.lstrip("-+!@:|").split()[:1] == [GATE]


def _without_privileges(value: str) -> str:
    """Return a command that runs in the sandbox, also if its unit lets it run outside of it.

    With `+` nothing of a unit's sandbox counts; with `!` only its user does not.
    """
    bare = value.lstrip("@-:+!|")
    signs = value[: len(value) - len(bare)]
    return signs.replace("+", "!" if "!" not in signs else "") + bare


def _moved(line: Directive, scratch: Scratch) -> str:
    """Return the value of a directive, with the paths that lead into what is deployed moved."""
    if line.key == "EnvironmentFile":
        sign = "-" if line.value.startswith("-") else ""
        return sign + _moved_path(line.value.removeprefix("-"), scratch)
    if line.key not in MOUNTED:
        name, colon, place = line.value.partition(":")
        return name + colon + _moved_path(place, scratch)
    pairs = []
    for word in line.value.split():
        sign = "-" if word.startswith("-") else ""
        source, colon, rest = word.removeprefix("-").partition(":")
        moved = _moved_path(source, scratch)
        pairs.append(f"{sign}{moved}{colon}{rest}" if colon else f"{sign}{moved}:{source}")
    return " ".join(pairs)


def _moved_path(place: str, scratch: Scratch) -> str:
    if not place.startswith("/") or "%" in place:
        return place
    moved = scratch.moved(place)
    return escaped(moved) if moved != place else place


def _private_directories(plan: Plan, unit: Unit) -> Iterator[str]:
    """Make empty directories in place of those that systemd would make for the service.

    Yields the lines that put them there.
    """
    dynamic = unit.get("DynamicUser") == "yes"
    user = plan.find_user(unit.get("User")) if unit.get("User") and not dynamic else None
    group = _gid(unit.get("Group"), user) if user else 0
    for key, (above, variable) in DIRECTORIES.items():
        # "NAME:LINK" makes a link, too.
        names = [word.partition(":")[0] for word in unit.get(key).split()]
        mode = 0o1777 if dynamic else int(unit.get(f"{key}Mode") or "755", 8)
        for name in names:
            made = plan.scratch.add(above, name, mode, user.uid if user else 0, group)
            # systemd would make a missing mount point on the host.
            if above != "/run" and not dynamic and os.path.isdir(f"{above}/{name}"):
                yield f"BindPaths={pair(made, f'{above}/{name}')}"
        if names and dynamic and above != "/run":
            # There, the directories are links into one that only root may enter.
            yield f"BindPaths={pair(plan.scratch.above(above), f'{above}/private')}"
        if names:
            places = ":".join(f"{above}/{name}" for name in names)
            yield f'Environment="{variable}={escaped(places)}"'
    if configuration := unit.get("ConfigurationDirectory").split():
        places = ":".join(f"/etc/{word.partition(':')[0]}" for word in configuration)
        yield f'Environment="CONFIGURATION_DIRECTORY={escaped(places)}"'


def _gid(group: str, user: Identity) -> int:
    import grp

    if not group:
        return user.gid
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        return user.gid


def pair(source: str, target: str) -> str:
    """Return the value of a bind mount: what is mounted, and where; neither has a colon."""
    return quoted(f"{source}:{target}")


def quoted(word: str) -> str:
    """Return one word of a list of words (systemd.syntax(7), Quoting)."""
    if not any(character in word for character in " \t\"'\\"):
        return escaped(word)
    return '"' + escaped(word).replace("\\", "\\\\").replace('"', '\\"') + '"'
