"""Where dependencies come from by `[tool.uv.sources]`, in words that pip understands.

pip does not read that table: it would take a package of the same name from the index, which may be
anybody's. (uv: "Dependency sources", "Workspaces".)
"""

import glob
import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from packaging.utils import canonicalize_name

from autoupdate.model.errors import UpdateFailedError
from autoupdate.worker.packages.package import read_project, table

ADVICE = 'set build.installer = "uv", which reads that table'


def lines(release: str, directory: str) -> list[str]:
    """Return a requirement for each source of the app in a directory, and of what these lead to.

    Raises UpdateFailedError for a source that pip has no words for.
    """
    found: dict[str, str] = {}
    pending, seen = [directory], set[str]()
    while pending:
        place = pending.pop()
        if place in seen:
            continue
        seen.add(place)
        for name, source, base in sources(release, place):
            line, leads_to = translated(release, base, name, source)
            found.setdefault(name, line)
            pending += [leads_to] if leads_to else []
    return list(found.values())


def sources(release: str, directory: str) -> Iterator[tuple[str, Any, str]]:
    """Yield the sources of a project and of its workspace: name, source, directory of the file."""
    places = [directory]
    if root := workspace_of(release, directory):
        places.append(root)
    for place in dict.fromkeys(places):
        for name, source in table(project(place), "tool", "uv", "sources").items():
            yield canonicalize_name(name), source, place


def project(directory: str) -> Mapping[str, Any]:
    """Return a pyproject.toml; nothing if it is none, which the installer reports."""
    try:
        return read_project(directory)
    except ValueError:
        return {}


def workspace_of(release: str, directory: str) -> str:
    """Return the root of the workspace that a project is in; empty if it is in none."""
    place = os.path.normpath(directory)
    while place.startswith(os.path.normpath(release)):
        if "workspace" in table(project(place), "tool", "uv"):
            return place
        place = os.path.dirname(place)
    return ""


def members(root: str) -> dict[str, str]:
    """Return the directories of a workspace's members, by the name of their projects."""
    workspace = table(project(root), "tool", "uv", "workspace")

    def named(key: str) -> list[str]:
        patterns = workspace.get(key)
        listed = patterns if isinstance(patterns, list) else []
        return [
            os.path.normpath(place)
            for pattern in map(str, listed)
            for place in glob.glob(f"{glob.escape(root)}/{pattern}")
        ]

    left_out = set(named("exclude"))
    found: dict[str, str] = {}
    for place in [root, *sorted(named("members"))]:
        name = table(project(place), "project").get("name")
        if isinstance(name, str) and place not in left_out:
            found[canonicalize_name(name)] = place
    return found


def translated(release: str, base: str, name: str, source: Any) -> tuple[str, str]:
    """Return a source as a requirement, and the directory that it is, if it is one."""
    what = source if isinstance(source, Mapping) and "marker" not in source else {}
    if what.get("workspace") is True:
        place = members(workspace_of(release, base)).get(name, "")
        if place:
            return editable(release, name, place), place
    elif path := what.get("path"):
        place = os.path.normpath(os.path.join(base, str(path)))
        if os.path.isdir(place) and what.get("editable"):
            return editable(release, name, place), place
        return f"{name} @ file://{quote(inside(release, name, place))}", place
    elif git := what.get("git"):
        version = what.get("rev") or what.get("tag") or what.get("branch")
        part = f"#subdirectory={what['subdirectory']}" if "subdirectory" in what else ""
        return f"{name} @ git+{git}{f'@{version}' if version else ''}{part}", ""
    elif url := what.get("url"):
        return f"{name} @ {url}", ""
    raise UpdateFailedError(
        f"[tool.uv.sources] says where {name} comes from in a way that pip has no words for", ADVICE
    )


def editable(release: str, name: str, place: str) -> str:
    """Return the requirement of a directory that Python imports the package from."""
    return f"--editable file://{quote(inside(release, name, place))}"


def inside(release: str, name: str, place: str) -> str:
    """Return a path of a release. Raises UpdateFailedError if it leads out of it."""
    if not f"{os.path.realpath(place)}/".startswith(f"{os.path.realpath(release)}/"):
        raise UpdateFailedError(f"[tool.uv.sources] has {name} outside of the repository: {place}")
    return place
