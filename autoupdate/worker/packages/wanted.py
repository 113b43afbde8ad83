"""What a release asks for: its requirements files, its app, and the settings' own requirements."""

from typing import NamedTuple
from urllib.parse import quote

from autoupdate.config.sections import Build
from autoupdate.worker.packages import package, poetry, uv_sources
from autoupdate.worker.packages.lock_files import LOCKS
from autoupdate.worker.packages.requirements import existing, with_included
from autoupdate.worker.packages.tool import Tool


class Wanted(NamedTuple):
    """What the resolver is given: requirements files, and the lines of one more."""

    files: tuple[str, ...]
    lines: tuple[str, ...]


def wanted(tool: Tool, release: str, scratch: str, python: str) -> Wanted:
    """Return what a release asks for. `python` installs what translates Poetry's notation.

    Raises DependenciesFailedError, UpdateFailedError, HostFaultError, UnreachableError.
    """
    build = tool.build
    lines = list(build.extra_requirements)
    app = package.find(release, build)
    if app.is_installed:
        extras = f"[{','.join(build.extras)}]" if build.extras else ""
        # pip takes a URL with extras only if it is editable, and a path with spaces only if not.
        place = f"--editable file://{quote(app.directory)}" if app.is_editable else app.directory
        lines.append(f"{place}{extras}")
    else:
        lines += package.declared(app.directory, build.extras)
        if package.has_poetry_dependencies(app.directory):
            lines += _asked_of_poetry(tool, release, scratch, python, app.directory)
    if not tool.installer.program:
        lines += uv_sources.lines(release, app.directory)
    return Wanted(tuple(existing(release, build.requirements)), tuple(lines))


def _asked_of_poetry(
    tool: Tool, release: str, scratch: str, python: str, directory: str
) -> list[str]:
    tools = f"{scratch}/tools"
    words = tool.installer.install_for(python, ["--target", tools, poetry.TOOL], compiled=False)
    tool.do(words, release)
    words = poetry.translate(python, directory, tool.build.extras)
    return poetry.requirements(tool.do(words, release, additions={"PYTHONPATH": tools}))


def files_that_decide(build: Build, release: str) -> list[str]:
    """Return the files by which a release says what it needs, as paths in it, present or not.

    Raises UpdateFailedError if one that the settings name is missing.
    """
    return sorted({*files_of_settings(build), *with_included(release, build.requirements)})


def files_of_settings(build: Build) -> list[str]:
    """Return those of them that are known without looking into the repository."""
    locks = [f"{place}{name}" for place in package.places(build) for name in LOCKS]
    return [*build.requirements, *package.manifests(build), *locks]
