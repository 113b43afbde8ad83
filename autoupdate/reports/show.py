"""The facts of `show`: one release, as plain data."""

from collections.abc import Sequence
from typing import Any

from autoupdate.host.links import linked_release
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.paths import AppPaths
from autoupdate.records.rows import Release
from autoupdate.reports import packages

CURRENT, PREVIOUS = "current", "previous"


def find(releases: Sequence[Release], paths: AppPaths, word: str) -> Release:
    """Return the release named `current` or `previous`, or by the beginning of its name or commit.

    Raises ConfigurationError, with the known releases, if none matches or several do.
    """
    links = {CURRENT: paths.current, PREVIOUS: paths.previous}
    name = linked_release(links[word]) if word in links else word
    found = [item for item in releases if item.id == name]
    if not found and word not in links and word:
        found = [item for item in releases
                 if item.id.startswith(name) or item.commit.startswith(name.lower())]  # fmt: skip
    if len(found) == 1:
        return found[0]
    known = ", ".join(item.id for item in releases) or "none yet"
    what = "more than one release matches" if found else "no release matches"
    raise ConfigurationError(f"{what} {word}", f"known releases: {known}")


def before(releases: Sequence[Release], release: Release) -> Release | None:
    """Return the release that was built before another one; None if none is recorded."""
    place = [item.id for item in releases].index(release.id)
    return releases[place - 1] if place else None


def facts(
    app: str,
    paths: AppPaths,
    release: Release,
    former: Release | None,
    changes: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return what `show --json` prints; `changes` is None where they are not known."""
    roles = {linked_release(paths.current): CURRENT, linked_release(paths.previous): PREVIOUS}
    directory = paths.release(former.id) if former else ""
    differences = packages.compare(directory, paths.release(release.id))
    return {
        "app": app,
        "release": release.id,
        "role": roles.get(release.id, "kept" if release.activated_at else "waiting"),
        "commit": release.commit,
        "signer": release.signer or None,
        "created_at": release.created_at,
        "activated_at": release.activated_at or None,
        "interpreter": release.interpreter,
        "bytes": release.bytes,
        "before": former.id if former else None,
        "changes": changes,
        "packages": differences._asdict() if differences else None,
    }
