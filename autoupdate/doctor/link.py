"""The services' path must lead to the current release, which has a Python interpreter."""

import os
from collections.abc import Iterator

from autoupdate.config.run_from import adoption, elsewhere
from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import Finding, command, rest_of
from autoupdate.host.links import describe, is_managed, linked_release


def link(case: Case) -> Iterator[Finding]:
    """Check where the services run from, and what is there."""
    name, path = case.settings.app, case.settings.path
    away = elsewhere(case.host.directives(case.settings.services), "", case.app)
    for place in dict.fromkeys(away.values()):
        services = ", ".join(service for service, found in away.items() if found == place)
        yield Finding(place, f"is not managed by autoupdate, and runs {services}; no start and no"
                      " update touches it", advice=adoption(place, name))  # fmt: skip
    if away and (path in away.values() or not linked_release(case.app.current)):
        return
    if os.path.lexists(path) and not is_managed(path, case.app):
        yield Finding(path, f"is {describe(path)}", advice=adoption(path, name))
    elif not linked_release(case.app.current):
        yield Finding(path, "nothing is deployed", (rest_of(name),), asks=True)
    elif not os.path.lexists(path):
        yield Finding(path, "is missing", (rest_of(name),), asks=True)
    elif not os.path.exists(f"{case.app.current}/.venv/bin/python"):
        again = command("autoupdatectl", "run", "--force", name)
        yield Finding(path, "the Python interpreter of the release is missing", (again,), asks=True)
