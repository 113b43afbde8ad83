"""With which settings a release was made: when they change, the same commit is built again."""

import json

from autoupdate.config.sections import Settings

# Settings that say how long something may take, when a package gets a newer version, and what a
# server is shown: they make no other release.
NOT_OF_A_RELEASE = ("timeout", "upgrade", "credentials")


def of_release(settings: Settings) -> dict[str, object]:
    """Return the settings on which a release depends, by key."""
    build = {
        f"build.{key}": value
        for key, value in settings.build._asdict().items()
        if key not in NOT_OF_A_RELEASE
    }
    return {
        "path": settings.path, "services": settings.services, "shared": settings.shared,
        "upstream.submodules": settings.upstream.submodules, **build,
    }  # fmt: skip


def write(settings: Settings) -> str:
    """Return the settings of a release, for its record."""
    return json.dumps(of_release(settings))


def changed(recorded: str, settings: Settings) -> list[str]:
    """Return the keys that have other values than when a release was made.

    Nothing is known of releases that earlier versions of this package made, nor of settings that
    these did not have.
    """
    if not recorded:
        return []
    before, now = json.loads(recorded), json.loads(write(settings))
    return sorted(key for key in before.keys() & now.keys() if before[key] != now[key])


def path_of(recorded: str) -> str:
    """Return where services ran a release from; empty if that is not recorded."""
    known = json.loads(recorded) if recorded else {}
    return str(known.get("path", ""))
