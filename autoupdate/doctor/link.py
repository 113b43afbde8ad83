"""The services' path must lead to the current release, which has a Python interpreter."""

import os
from collections.abc import Iterator

from autoupdate.config.run_from import adoption, elsewhere
from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import Finding, command, rest_of
from autoupdate.host.links import describe, is_managed, linked_release


def unmanaged(case: Case) -> Iterator[Finding]:
    """Check whether services run from a place that no update touches."""
    name, path = case.settings.app, case.settings.path
    away = places_elsewhere(case)
    for place in dict.fromkeys(away.values()):
        services = ", ".join(service for service, found in away.items() if found == place)
        yield Finding(place, f"is not managed by autoupdate, and runs {services}; no start and no"
                      " update touches it", advice=adoption(place, name))  # fmt: skip
    if path not in away.values() and os.path.lexists(path) and not is_managed(path, case.app):
        yield Finding(path, f"is {describe(path)}", advice=adoption(path, name))


def link(case: Case) -> Iterator[Finding]:
    """Check what the path leads to."""
    name, path = case.settings.app, case.settings.path
    away = places_elsewhere(case)
    if away and (path in away.values() or not linked_release(case.app.current)):
        return
    if os.path.lexists(path) and not is_managed(path, case.app):
        return
    if not linked_release(case.app.current):
        yield Finding(path, "nothing is deployed", (rest_of(name),), asks=True)
    elif not os.path.lexists(path):
        yield Finding(path, "is missing", (rest_of(name),), asks=True)
    elif not os.path.exists(f"{case.app.current}/.venv/bin/python"):
        again = command("autoupdatectl", "run", "--force", name)
        yield Finding(path, "the Python interpreter of the release is missing", (again,), asks=True)


def places_elsewhere(case: Case) -> dict[str, str]:
    """Return where services run from, if that is another place than the app's."""
    return elsewhere(case.host.directives(case.settings.services), "", case.app)
