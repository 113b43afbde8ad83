"""What an update does with the services of the app, by the kind of their units; for config check.

The rules are in autoupdate.toml(5), "Kinds of services".
"""

import os
from collections.abc import Iterator, Sequence

from autoupdate.host.unit_files import directives, drop_ins, service_of, unit_files
from autoupdate.model.paths import Paths

YES = ("yes", "true", "on", "1")
# Of the user managers of all users (systemd.unit(5)); those of one user are in that user's home.
USER_UNITS = ("etc/systemd/user", "usr/local/lib/systemd/user", "usr/lib/systemd/user")


def warnings(paths: Paths, services: Sequence[str]) -> Iterator[str]:
    """Yield what an administrator may not expect of each service."""
    units = unit_files(paths, ".service")
    timers = started_by_timers(paths)
    for service in services:
        name, instance, _ = service.partition("@")
        if service not in units and not (instance and f"{name}@.service" in units):
            if any(os.path.exists(f"{paths.root}/{place}/{service}") for place in USER_UNITS):
                yield (f"{service} is a unit of users, which an update cannot restart: make it a"
                       " unit of the system, with User=")  # fmt: skip
            else:
                yield f"this host has no unit {service}"
        elif units.get(service) and os.path.realpath(units[service]) == "/dev/null":
            yield f"{service} is masked: it is neither restarted nor watched"
        elif says(paths, service, "Type") == "oneshot":
            if says(paths, service, "RemainAfterExit") not in YES:
                yield (f"{service} does something and ends (Type=oneshot): an update does not"
                       " restart it, and its next start is on the new release")  # fmt: skip
        elif service in timers and says(paths, service, "Restart") in ("", "no"):
            yield (f"{service} is started by {timers[service]}: an update does not restart it, and"
                   " its next start is on the new release")  # fmt: skip


def started_by_timers(paths: Paths) -> dict[str, str]:
    """Return the timer of each service that has one."""
    timers = unit_files(paths, ".timer")
    return {service_of(timer, file): timer for timer, file in timers.items()}


def says(paths: Paths, service: str, key: str) -> str:
    """Return what the files of a service's unit assign to a key last; empty for nothing."""
    name, instance, _ = service.partition("@")
    template = f"{name}@.service" if instance else service
    units, value = unit_files(paths, ".service"), ""
    fragment = units.get(service) or units.get(template)
    drop_in_files = [*drop_ins(paths, template).values(), *drop_ins(paths, service).values()]
    for file in filter(None, (fragment, *drop_in_files)):
        for line in directives(file):
            value = line.value if line.key == key else value
    return value
