"""What the build of a commit would need, without checking it out; for `plan`.

Runs in the worker, as the builds' user. The few files that define the dependencies are written to a
temporary directory, for which the builder plans as for a release.
"""

import os
import posixpath
import tempfile
from collections.abc import Sequence

from autoupdate.config.settings import Build
from autoupdate.model.changes import Forecast
from autoupdate.worker.environment import package
from autoupdate.worker.environment.environment import EnvironmentBuilder
from autoupdate.worker.environment.requirements import included_files
from autoupdate.worker.repository.inspection import ask, has

LONGEST_MANIFEST = 1_000_000
MOST_MANIFESTS = 100
MOST_LINES, LONGEST_LINE = 20, 200


def forecast(
    repository: str, commit: str, deployed: str, builder: EnvironmentBuilder, free: int
) -> Forecast:
    """Return which environment a commit needs, and what differs from the deployed one (or empty).

    Raises UpdateFailedError when the commit cannot be built with these settings.
    """
    build = builder.build
    with tempfile.TemporaryDirectory() as after, tempfile.TemporaryDirectory() as before:
        new = export(repository, commit, after, build)
        planned = builder.plan(after)
        known = bool(deployed) and has(repository, deployed)
        old = export(repository, deployed, before, build) if known else {}
    changed = sorted(path for path in new.keys() | old.keys() if new.get(path) != old.get(path))
    lines_before, lines_after = (lines(files, build) for files in (old, new))
    return Forecast(
        planned.key,
        planned.interpreter,
        planned.reused,
        free,
        tuple(changed) if known else (),
        cut(lines_after - lines_before) if known else (),
        cut(lines_before - lines_after) if known else (),
    )


def export(repository: str, commit: str, directory: str, build: Build) -> dict[str, bytes]:
    """Write the files that define a commit's dependencies; return them by path."""
    found: dict[str, bytes] = {}
    manifests = package.manifests(build)
    for lock in package.locks(build):
        if kind_and_size(repository, f"{commit}:{lock}")[0] == "blob":
            # It may be long, and only its presence matters.
            write(f"{directory}/{lock}", b"")
    pending = [*manifests, *build.requirements]
    while pending and len(found) < MOST_MANIFESTS:
        path = pending.pop()
        content = None if path in found else blob(repository, f"{commit}:{path}")
        if content is None:
            continue
        found[path] = content
        file = f"{directory}/{path}"
        write(file, content)
        if path not in manifests:
            pending += included(path, included_files(file))
    return found


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


def lines(files: dict[str, bytes], build: Build) -> set[str]:
    """Return the lines of requirements files, without comments and empty lines."""
    manifests = package.manifests(build)
    texts = [content.decode(errors="replace") for path, content in files.items()
             if path not in manifests]  # fmt: skip
    stripped = (line.partition(" #")[0].strip() for text in texts for line in text.splitlines())
    return {line for line in stripped if line and not line.startswith("#")}


def cut(found: set[str]) -> tuple[str, ...]:
    """Return the first lines, each cut to LONGEST_LINE characters."""
    return tuple(line[:LONGEST_LINE] for line in sorted(found)[:MOST_LINES])
