"""What the build of a commit would need, without checking it out; for `plan`.

Runs in the worker, as the builds' user. The few files that define the dependencies are written to a
temporary directory, for which the builder plans as for a release.
"""

import os
import posixpath
import tempfile
from collections.abc import Collection, Sequence

from autoupdate.config.sections import Build
from autoupdate.model.changes import Forecast
from autoupdate.worker.environment import memory
from autoupdate.worker.environment.environment import EnvironmentBuilder
from autoupdate.worker.packages.requirements import included_files
from autoupdate.worker.packages.wanted import files_of_settings
from autoupdate.worker.repository.inspection import ask, has

# Lock files are the longest of them.
LONGEST_MANIFEST = 16_000_000
MOST_MANIFESTS = 200
MOST_LINES, LONGEST_LINE = 20, 200


def forecast(
    repository: str, commit: str, deployed: str, builder: EnvironmentBuilder, free: int
) -> Forecast:
    """Return which environment a commit needs, and what differs from the deployed one (or empty).

    Raises UpdateFailedError when the commit cannot be built with these settings.
    """
    build = builder.build
    # What earlier builds read in the repository: manifests of packages below it.
    others = memory.files(builder.environments)
    with tempfile.TemporaryDirectory() as after, tempfile.TemporaryDirectory() as before:
        listed, new = export(repository, commit, after, build, others)
        planned = builder.plan(after)
        known = bool(deployed) and has(repository, deployed)
        former, old = export(repository, deployed, before, build, others) if known else ({}, {})
    old, new = {**old, **former}, {**new, **listed}
    changed = sorted(path for path in new.keys() | old.keys() if new.get(path) != old.get(path))
    lines_before, lines_after = (lines(files) for files in (former, listed))
    return Forecast(
        planned.key,
        planned.interpreter,
        planned.reused,
        free,
        planned.asked,
        tuple(changed) if known else (),
        cut(lines_after - lines_before) if known else (),
        cut(lines_before - lines_after) if known else (),
    )


def export(
    repository: str, commit: str, directory: str, build: Build, others: Collection[str]
) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Write the files that define a commit's dependencies.

    Returns the requirements files, and the others, by path.
    """
    listed: dict[str, bytes] = {}
    pending = list(build.requirements)
    while pending and len(listed) < MOST_MANIFESTS:
        path = pending.pop()
        content = None if path in listed else blob(repository, f"{commit}:{path}")
        if content is not None:
            listed[path] = content
            write(f"{directory}/{path}", content)
            pending += included(path, included_files(f"{directory}/{path}"))
    found: dict[str, bytes] = {}
    for path in sorted({*files_of_settings(build), *others} - listed.keys())[:MOST_MANIFESTS]:
        content = blob(repository, f"{commit}:{path}")
        if content is not None:
            found[path] = content
            write(f"{directory}/{path}", content)
    return listed, found


def write(file: str, content: bytes) -> None:
    """Write a file, and make its directory."""
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with open(file, "wb") as stream:
        stream.write(content)


def included(path: str, names: Sequence[str]) -> list[str]:
    """Return the paths inside a release that a requirements file includes."""
    parent = posixpath.dirname(path)
    found = [posixpath.normpath(posixpath.join(parent, name)) for name in names]
    return [name for name in found if not name.startswith(("..", "/"))]


def blob(repository: str, name: str) -> bytes | None:
    """Return the content of a file of a commit; None if it is missing, no file, or too long."""
    kind, size = kind_and_size(repository, name)
    if kind != "blob" or size > LONGEST_MANIFEST:
        return None
    return ask(repository, ["cat-file", "blob", name], [])


def kind_and_size(repository: str, name: str) -> tuple[str, int]:
    """Return the type and the size of an object; an empty type if there is none of that name."""
    if "\n" in name:
        return "", 0
    facts = ask(repository, ["cat-file", "--batch-check=%(objecttype) %(objectsize)"], [name])
    kind, _, size = facts.decode(errors="replace").strip().rpartition(" ")
    return (kind, int(size)) if size.isdecimal() else ("", 0)


def lines(files: dict[str, bytes]) -> set[str]:
    """Return the lines of requirements files, without comments and empty lines."""
    texts = [content.decode(errors="replace") for content in files.values()]
    stripped = (line.partition(" #")[0].strip() for text in texts for line in text.splitlines())
    return {line for line in stripped if line and not line.startswith("#")}


def cut(found: set[str]) -> tuple[str, ...]:
    """Return the first lines, each cut to LONGEST_LINE characters."""
    return tuple(line[:LONGEST_LINE] for line in sorted(found)[:MOST_LINES])
