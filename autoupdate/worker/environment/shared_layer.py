"""build: the environment that releases with the same packages share, `environments/KEY`.

It has only what comes from an index or a pinned URL. Its key is a digest of exactly that. It begins
as a copy of the deployed environment, by hard links, of which only what differs is installed.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from packaging.utils import canonicalize_name

from autoupdate.host.links import sync_directory
from autoupdate.model.changes import Expected
from autoupdate.worker.environment import memory
from autoupdate.worker.environment.bytecode import compile_modules
from autoupdate.worker.environment.files import (
    adapt,
    distributions,
    forget_locks,
    remove,
    write_versions,
)
from autoupdate.worker.environment.linked_copy import (
    BUILD_TOOLS,
    COMPLETE,
    INSTALLS,
    RESOLVED,
    VERSIONS,
)
from autoupdate.worker.environment.memory import Known
from autoupdate.worker.packages import package, requirements
from autoupdate.worker.packages.pip_settings import NUMBERS, PROXY_VARIABLES
from autoupdate.worker.packages.resolution import Own, Pin, Resolution
from autoupdate.worker.packages.tool import Tool

# Variables that make no other packages, apart from which versions were resolved.
NOT_OF_PACKAGES = frozenset((
    *PROXY_VARIABLES, *(name.upper() for name in PROXY_VARIABLES), *NUMBERS.values(),
    "UV_CONSTRAINT", "UV_INSECURE_HOST", "UV_NATIVE_TLS", "SSL_CLIENT_CERT", "UV_KEYRING_PROVIDER",
))  # fmt: skip
# Each environment has them, whether the app asks for them or not.
SEEDS = ("pip", "setuptools")


def key(tool: Tool, release: str, interpreter: str, found: Resolution) -> str:
    """Return the name of the environment that has these packages."""
    host = {name: text for name, text in tool.variables().items() if name not in NOT_OF_PACKAGES}
    facts = (
        interpreter, tool.installer.name, sorted(host.items()), sorted(found.pins),
        [*tool.installer.options, *options(tool, release)], build_tools(release, found.own),
    )  # fmt: skip
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def expected(present: Mapping[str, str], pins: Sequence[Pin]) -> Expected:
    """Compare the versions of an environment with those of the pins."""
    wanted = {canonicalize_name(pin.name): pin for pin in pins}
    new = {name: pin.version for name, pin in wanted.items()}
    differing = {name for name, version in new.items() if present.get(name) != version}
    return Expected(
        {name: new[name] for name in sorted(differing - present.keys())},
        {name: present[name] for name in sorted(present.keys() - {*new, *SEEDS})},
        {name: (present[name], new[name]) for name in sorted(differing & present.keys())},
        sum(wanted[name].size for name in differing),
    )


def options(tool: Tool, release: str) -> list[str]:
    """Return the options of the requirements files, as lines of such a file."""
    found = []
    for file in requirements.existing(release, tool.build.requirements):
        found += requirements.selection_options(file)
        words = requirements.index_options(file)
        pending = list(words)
        while pending:
            name = pending.pop(0)
            found.append(name if name == "--no-index" else f"{name} {pending.pop(0)}")
    return found


def build_tools(release: str, own: Sequence[Own]) -> list[str]:
    """Return what builds the repository's own packages."""
    directories = [os.path.join(release, item.path) for item in own if not item.is_archive]
    found = {word for place in directories for word in package.build_requirements(place)}
    return sorted({*found, "wheel"}) if found else []


def begin(environments: str, name: str) -> None:
    """Remove what an interrupted build left of an environment."""
    shutil.rmtree(f"{environments}/{name}", ignore_errors=True)


def install(
    tool: Tool, release: str, template: str, interpreter: str, found: Resolution, former: str
) -> None:
    """Install packages into an environment: a copy of that at `former`, or a new one.

    Raises DependenciesFailedError, HostFaultError, UnreachableError.
    """
    had: dict[str, Pin] = {}
    if former:
        adapt(template, former)
        contents = memory.read(former)
        known = contents.known[0].resolution.pins if contents and contents.known else ()
        had = {canonicalize_name(pin.name): pin for pin in known}
    else:
        # Made before anything runs: a build may write to its own environment, and to no other.
        os.makedirs(template, exist_ok=True)
        tool.do(tool.installer.create(tool.build.python, template), release)
        if update := tool.installer.update_itself(template):
            tool.do(update, release)
    wanted = {canonicalize_name(pin.name): pin for pin in found.pins}
    present = {item.name for item in distributions(template)}
    missing = [
        pin for name, pin in wanted.items() if name not in present or not same(pin, had.get(name))
    ]
    outdated = {canonicalize_name(pin.name) for pin in missing} & present
    surplus = sorted((present - wanted.keys() - set(SEEDS)) | (outdated - set(SEEDS)))
    if surplus:
        tool.do(tool.installer.uninstall(template, surplus), release)
    for pins in split(missing):
        file = f"{template}/wanted.txt"
        lines = [*options(tool, release), *(pin.requirement() for pin in pins)]
        requirements.write(file, lines)
        words = ["--no-deps", "--requirement", file]
        tool.do(tool.installer.install(template, words), release)
        remove(file)
    if last := tool.installer.complete(template, interpreter):
        tool.do(last, release)
    if not tool.installer.program:
        compile_modules(tool.command, f"{template}/bin/python", [f"{template}/lib"])
    install_build_tools(tool, release, template, found.own)


def same(pin: Pin, had: Pin | None) -> bool:
    """Return whether an installed package is the wanted one."""
    if had is None or (pin.version, pin.url) != (had.version, had.url):
        return False
    # An index may have got another file of that version; a changed hash in the repository counts.
    return not pin.locked or (had.locked and pin.hashes == had.hashes)


def split(pins: Sequence[Pin]) -> Iterator[list[Pin]]:
    """Yield those with hashes, and those without: where one has a hash, pip wants it of all."""
    for has_hashes in (True, False):
        if chosen := [pin for pin in pins if bool(pin.hashes) is has_hashes]:
            yield chosen


def install_build_tools(tool: Tool, release: str, template: str, own: Sequence[Own]) -> None:
    """Install what builds the repository's own packages. It is not compiled: few of it is loaded.

    Packages whose tools cannot be installed together are built in isolation.
    """
    if not (wanted := build_tools(release, own)):
        return
    place = f"{template}/{BUILD_TOOLS}"
    file = f"{template}/wanted.txt"
    requirements.write(file, options(tool, release))
    words = ["--requirement", file, "--target", place, *wanted]
    command = tool.installer.install(template, words, compiled=False)
    if len(own) == 1:
        tool.do(command, release)
    elif tool.attempt(command, release)[0]:
        remove(place)
    remove(file)


def finish(template: str, interpreter: str, known: Known) -> None:
    """Mark an environment as complete, and remember what it was made for. Raises OSError."""
    forget_locks(template, f"{template}/{BUILD_TOOLS}")
    # A package may have installed files with these names; they must be ours.
    for name in (VERSIONS, INSTALLS, RESOLVED, COMPLETE):
        remove(f"{template}/{name}")
    os.mkdir(f"{template}/{INSTALLS}")
    write_versions(template)
    memory.remember(template, interpreter, known)
    with open(f"{template}/{COMPLETE}", "x", encoding="utf-8") as mark:
        os.fsync(mark.fileno())
    sync_directory(template)


def versions(environment: str) -> dict[str, str]:
    """Return the versions of the packages of an environment, by name; empty without a list."""
    found: dict[str, str] = {}
    with suppress(OSError), open(f"{environment}/{VERSIONS}", encoding="utf-8") as stream:
        for line in stream:
            name, _, version = line.strip().partition("==")
            if version:
                found[canonicalize_name(name)] = version
    return found
