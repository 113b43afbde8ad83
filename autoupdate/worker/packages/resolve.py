"""build: decides which packages a release gets; what is deployed is kept where it still fits.

The resolver is the installer's own. It prefers the versions of lock files, then those of the
deployed environment, and takes the newest of all others.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from packaging.utils import canonicalize_name

from autoupdate.model.errors import DependenciesFailedError
from autoupdate.worker.packages import lock_files, package, requirements
from autoupdate.worker.packages.lock_files import Locked
from autoupdate.worker.packages.resolution import Pin, Resolution, of_lock, of_report
from autoupdate.worker.packages.tool import Tool, python_version
from autoupdate.worker.packages.wanted import Wanted, wanted

Versions = Mapping[str, str]
# The directory of an environment that has only pip.
BARE = "bare"


class Resolved(NamedTuple):
    """The packages that a release gets, and what is to be said of lock files and pip.conf."""

    resolution: Resolution
    notes: tuple[str, ...]


def resolve(
    tool: Tool, release: str, scratch: str, interpreter: str, deployed: Versions, former: str
) -> Resolved:
    """Return the packages that a release needs.

    `deployed` are the versions to keep if they fit. `former` is the environment that has them, if
    it runs on this interpreter; else empty. Files are written to the directory `scratch`.
    Raises DependenciesFailedError, UpdateFailedError, HostFaultError, UnreachableError.
    """
    version = python_version(interpreter)
    locked, faults = lock_files.read(release, package.places(tool.build), version)
    preferred = {**deployed, **{name: item.version for name, item in locked.items()}}
    if tool.installer.program:
        asked = wanted(tool, release, scratch, tool.build.python)
        found = by_uv(tool, release, scratch, asked, preferred)
    else:
        python = f"{former}/bin/python" if former else bare_pip(tool, release, scratch)
        asked = wanted(tool, release, scratch, python)
        found = by_pip(tool, release, scratch, asked, preferred, python, has_packages=bool(former))
    files = requirements.with_included(release, tool.build.requirements)
    pins = with_known_hashes(found, locked, [f"{release}/{file}" for file in files])
    return Resolved(pins, (*tool.left_out(), *faults, *not_kept(pins, locked)))


def by_uv(tool: Tool, release: str, scratch: str, asked: Wanted, preferred: Versions) -> Resolution:
    """Resolve by `uv pip compile`, which prefers the versions of the file that it rewrites."""
    import tomllib

    target = f"{scratch}/pylock.toml"
    if preferred:
        lines = ['lock-version = "1.0"', 'created-by = "autoupdate"']
        for name, version in preferred.items():
            names = (f"name = {json.dumps(name)}", f"version = {json.dumps(version)}")
            lines += ["[[packages]]", *names]
        requirements.write(target, lines)
    words = [
        tool.installer.program, "pip", "compile", "--quiet", "--no-header", "--no-progress",
        "--python", tool.build.python, "--format", "pylock.toml", "--output-file", target,
        *tool.installer.options,
        *inputs(scratch, asked),
    ]  # fmt: skip
    tool.do(words, release)
    try:
        with open(target, "rb") as stream:
            return of_lock(tomllib.load(stream), scratch, release)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DependenciesFailedError(f"uv's resolution cannot be read: {error}") from None


def by_pip(
    tool: Tool,
    release: str,
    scratch: str,
    asked: Wanted,
    preferred: Versions,
    python: str,
    *,
    has_packages: bool,
) -> Resolution:
    """Resolve by `pip install --dry-run`, with the preferred versions as constraints.

    Where a requirement has a hash, pip wants one of everything, and a directory cannot have one
    (pip-install(1)): then the requirements files are resolved apart from the rest.

    pip has constraints, but no preferences. If they do not fit, it is asked what it would change in
    the deployed environment (`has_packages`); if not even that helps, nothing is preferred.
    """

    def ask(versions: Versions, *, anew: bool = True) -> Resolution:
        report = f"{scratch}/report.json"
        limits = f"{scratch}/constraints.txt"
        requirements.write(limits, [f"{name}=={version}" for name, version in versions.items()])
        words = [
            python, "-P", "-m", "pip", "install", "--dry-run", "--quiet", "--no-input",
            "--disable-pip-version-check", "--progress-bar=off", "--report", report,
            *(["--ignore-installed"] if anew else []), "--constraint", limits,
        ]  # fmt: skip
        for file in inputs(scratch, asked):
            words += ["--requirement", file]
        tool.do(words, release)
        try:
            with open(report, encoding="utf-8") as stream:
                return of_report(json.load(stream), release)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise DependenciesFailedError(f"pip's resolution cannot be read: {error}") from None

    alone = Resolution((), ())
    if asked.lines and any(map(requirements.has_hashes, asked.files)):
        files = asked._replace(lines=())
        alone = by_pip(tool, release, scratch, files, {}, python, has_packages=False)
        asked = asked._replace(files=())
    fixed = versions_of(alone.pins)

    def preferring() -> Resolution:
        try:
            return ask({**preferred, **fixed})
        except DependenciesFailedError:
            if not preferred:
                raise
        if has_packages:
            with suppress(DependenciesFailedError):
                changed = ask(fixed, anew=False)
                return ask({**preferred, **versions_of(changed.pins), **fixed})
        return ask(fixed)

    found = preferring()
    more = [pin for pin in found.pins if canonicalize_name(pin.name) not in fixed]
    return Resolution((*alone.pins, *more), (*alone.own, *found.own))


def versions_of(pins: Sequence[Pin]) -> dict[str, str]:
    """Return the versions of packages by name."""
    return {canonicalize_name(pin.name): pin.version for pin in pins}


def bare_pip(tool: Tool, release: str, scratch: str) -> str:
    """Make an environment that has only the newest pip; return its interpreter."""
    directory = f"{scratch}/{BARE}"
    tool.do(tool.installer.create(tool.build.python, directory), release)
    tool.do(tool.installer.install(directory, ["--upgrade", "pip"]), release)
    return f"{directory}/bin/python"


def inputs(scratch: str, asked: Wanted) -> list[str]:
    """Return the requirements files for the resolver; that of the additional lines is written."""
    if not asked.lines:
        return list(asked.files)
    more = f"{scratch}/wanted.in"
    requirements.write(more, asked.lines)
    return [*asked.files, more]


def with_known_hashes(
    found: Resolution, locked: Mapping[str, Locked], files: Sequence[str]
) -> Resolution:
    """Give each pin the hashes that the repository knows of it, in place of the index's."""
    known = {(name, item.version): item.hashes for name, item in locked.items() if item.hashes}
    for file in files:
        known |= requirements.hashes(file)
    pins = [
        pin._replace(hashes=hashes, locked=True)
        if (hashes := known.get((canonicalize_name(pin.name), pin.version))) and not pin.url
        else pin
        for pin in found.pins
    ]
    return Resolution(tuple(pins), found.own)


def not_kept(found: Resolution, locked: Mapping[str, Locked]) -> Iterator[str]:
    """Yield the pins of lock files that do not fit what the repository asks for."""
    for pin in found.pins:
        item = locked.get(canonicalize_name(pin.name))
        if item and not pin.url and item.version != pin.version:
            yield (
                f"{item.file} has {pin.name} {item.version}, which does not fit what else the"
                f" commit asks for; {pin.version} is installed"
            )
