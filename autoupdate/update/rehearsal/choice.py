"""Which services and probes take part in a rehearsal, and why the others do not."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from autoupdate.app import App
from autoupdate.config.run_from import elsewhere
from autoupdate.config.sections import Probe
from autoupdate.gates.runnable import is_usable
from autoupdate.host.links import linked_release
from autoupdate.host.probes import describe
from autoupdate.host.services import Service
from autoupdate.records import remembered
from autoupdate.records.records import Records

# In seconds. A service whose start waits for this run is down meanwhile.
SHORT = 2.0
NAME = "cannot-rehearse"
OFF = ("off",)


class Choice(NamedTuple):
    """What takes part in a rehearsal."""

    services: tuple[str, ...]
    probes: tuple[Probe, ...]
    left_out: Mapping[str, str]
    """Services and probes that do not take part, each with the reason."""
    why_none: str
    """Why no service takes part; empty if there is one."""
    deployed: str
    """The release that a failure is compared with."""
    time: float
    """In seconds."""

    def without(self, subject: str) -> "Choice":
        """Return the choice without a service and its probes, or without a probe."""
        return self._replace(
            services=tuple(name for name in self.services if name != subject),
            probes=tuple(
                probe for probe in self.probes if subject not in (probe.service, describe(probe))
            ),
        )


def choose(app: App) -> Choice:
    """Return what takes part in the next rehearsal."""
    wanted = app.settings.rehearse.services
    if wanted == OFF:
        return none("rehearse.services is off")
    if not app.settings.services:
        return none("the app has no services")
    release = linked_release(app.paths.current)
    record = app.records.release(release) if release else None
    if record is None:
        return none("nothing is deployed that they could be compared with")
    if not is_usable(app.paths, app.settings.build.python, record):
        return none("what is deployed cannot run, so that they cannot be compared with it")
    seen = app.host.services.look(app.settings.services)
    if not seen:
        return none("no service manager answers")
    left_out = {}
    for service in seen:
        if why := why_not(service, wanted):
            left_out[service.name] = why
    names = [service.name for service in seen if service.name not in left_out]
    away = elsewhere(app.host.services.directives(names), app.settings.path, app.paths)
    left_out |= {name: f"it runs from {place}" for name, place in away.items()}
    left_out |= app.host.rehearsals.obstacles([name for name in names if name not in left_out])
    for name in names:
        if name not in left_out and (why := known_fault(app, name)):
            left_out[name] = why
    taking_part = tuple(name for name in names if name not in left_out)
    if not taking_part:
        return none("none of the services can take part", left_out)
    probes = []
    for probe in app.settings.health.probe:
        if probe.service in ("", *taking_part):
            if why := known_fault(app, describe(probe)):
                left_out[describe(probe)] = why
            else:
                probes.append(probe)
    time = app.settings.rehearse.time
    if any(service.waits_for_gate for service in seen):
        time = min(time, SHORT)
    return Choice(taking_part, tuple(probes), left_out, "", release, time)


def none(why: str, left_out: Mapping[str, str] | None = None) -> Choice:
    """Return the choice of no service."""
    return Choice((), (), left_out or {}, why, "", 0.0)


def why_not(service: Service, wanted: tuple[str, ...]) -> str:
    """Return why a service does not take part; empty if it may."""
    if wanted != ("auto",):
        return "" if service.name in wanted else "it is not in rehearse.services"
    if service.exists and service.is_task:
        return "it does something and ends, and an update does not restart it"
    if service.exists and not service.runs and not service.waits_for_gate:
        return "it does not run"
    return ""


def digest(app: App, subject: str) -> str:
    """Return a digest of all that decides how a service or a probe does in a rehearsal."""
    if subject in app.settings.services:
        return app.host.rehearsals.digest(subject)
    found = [probe for probe in app.settings.health.probe if describe(probe) == subject]
    known = [
        found,
        *(app.host.rehearsals.digest(probe.service) for probe in found if probe.service),
    ]
    return hashlib.sha256(repr(known).encode()).hexdigest()[:16]


def known_fault(app: App, subject: str) -> str:
    """Return why a service or a probe failed with the deployed release, too; empty if not.

    That counts until its unit or its settings change.
    """
    found = remembered.recall(app.records, f"{NAME} {subject}")
    if found is None:
        return ""
    before, _, reason = found.about.partition(" ")
    return reason if before == digest(app, subject) else ""


def set_fault(app: App, subject: str, reason: str) -> None:
    """Remember that a service or a probe fails in a rehearsal of the deployed release, too."""
    about = f"{digest(app, subject)} {reason}"
    remembered.keep(app.records, f"{NAME} {subject}", about, app.clock.now())


def known_faults(records: Records) -> list[remembered.Remembered]:
    """Return all that is remembered of services and probes that cannot be rehearsed."""
    rows = records.rows("SELECT name, about, since FROM remembered WHERE name LIKE ? ORDER BY name",
                        [f"{NAME} %"])  # fmt: skip
    return [
        remembered.Remembered(name.removeprefix(f"{NAME} "), about.partition(" ")[2], since)
        for name, about, since in rows
    ]


def in_words(choice: Choice) -> str:
    """Say what takes part, and what does not."""
    if choice.services:
        first = f"{', '.join(choice.services)}: started in a sandbox for {choice.time:g} s"
    else:
        first = f"no service: {choice.why_none}"
    others = [f"{subject} is left out: {why}" for subject, why in choice.left_out.items()]
    return "; ".join([first, *others])
