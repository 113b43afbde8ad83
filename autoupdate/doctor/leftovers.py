"""Old directories that are no longer needed can be removed."""

import os
from collections.abc import Iterator

from autoupdate.adoption import kept
from autoupdate.adoption.former_names import former_names, in_words, needed_by
from autoupdate.config import applied
from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import Finding, command, rest_of
from autoupdate.host.links import is_managed
from autoupdate.host.runtime_files import is_running
from autoupdate.records import unremoved


def leftovers(case: Case) -> Iterator[Finding]:
    """Look for what adoptions, damage and removals have left."""
    for item in kept.kept_directories(case.settings.path, case.records, case.now):
        if not item.must_stay:
            yield Finding(item.directory,
                          "the directory from before the adoption is no longer needed",
                          (command("rm", "--recursive", item.directory),), asks=True)  # fmt: skip
    for path in former_paths(case):
        yield Finding(path, "is a link to the app from the time when path was another",
                      (command("rm", path),), asks=True)  # fmt: skip
    for name, needed in former(case).items():
        if not needed:
            remove = command("autoupdatectl", "forget", "--yes", name)
            what = f"is the former name of {case.settings.app}, and nothing needs it any more"
            yield Finding(case.paths.app(name).home, what, (remove,), asks=True)
    again = rest_of(case.settings.app)
    if os.path.lexists(case.app.rehearsal) and not is_running(case.app):
        yield Finding(case.app.rehearsal, "is left of a rehearsal whose run was killed", (again,))
    for place, (why, advice) in unremoved.read(case.app).items():
        if not os.path.lexists(place):
            continue
        what = f"is no longer needed, but could not be removed: {why}"
        if advice:
            yield Finding(place, what, advice=f"{advice} && {again}")
        else:
            remove = command("rm", "--recursive", "--force", "--one-file-system", place)
            yield Finding(place, what, (remove, again), asks=True)
    for aside in (f"{case.app.mirror}.damaged", f"{case.app.state}.damaged"):
        if os.path.lexists(aside):
            yield Finding(aside, "was damaged and replaced; it is no longer needed",
                          (command("rm", "--recursive", aside),), asks=True)  # fmt: skip


def former(case: Case) -> dict[str, list[str]]:
    """Return the former names of the app, each with what needs it."""
    names = former_names(case.paths, case.settings.app)
    return {name: needed_by(case.paths, name, case.host.directives) for name in names}


def notes(case: Case) -> list[str]:
    """Return what looks like a leftover, and is none."""
    return [
        f"{case.paths.app(name).home} is the former name of {case.settings.app}; it is needed by"
        f" {in_words(needed)}"
        for name, needed in former(case).items()
        if needed
    ]


def former_paths(case: Case) -> list[str]:
    """Return the links to the app at paths that are not set any more."""
    releases = case.records.releases() if case.records else []
    known = {applied.path_of(release.settings) for release in releases}
    return sorted(path for path in known - {"", case.settings.path} if is_managed(path, case.app))
