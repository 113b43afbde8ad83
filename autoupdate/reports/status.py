"""What `status` tells, as plain data; reading needs no rights."""

import os
from typing import Any

from autoupdate.app import Clock
from autoupdate.config.settings import Settings
from autoupdate.gates import signatures
from autoupdate.gates.attempts import left_broken, stuck
from autoupdate.host import runtime_files
from autoupdate.host.links import is_managed, linked_release
from autoupdate.host.services import Services
from autoupdate.model.paths import AppPaths
from autoupdate.model.steps import Result, Step
from autoupdate.records import hold as holds
from autoupdate.records import pin as pins
from autoupdate.records.records import Store


def status(settings: Settings, paths: AppPaths, services: Services) -> dict[str, Any]:
    """Return where an app stands."""
    store = Store(paths.state, read_only=True) if os.path.exists(paths.state) else None
    release = linked_release(paths.current)
    candidate = store.candidate() if store else None
    last = store.last_run() if store else None
    quarantined = store.quarantined() if store else []
    hold = holds.find(store, now()) if store else None
    pin = pins.find(store) if store else None
    return {
        "app": settings.app,
        "state": state(settings, store, paths, release, services),
        "current": current(settings, store, release),
        "previous": describe(store, linked_release(paths.previous)),
        "candidate": candidate._asdict() if candidate else None,
        "last_run": last._asdict() if last else None,
        "last_success_at": store.last_success_at() if store else None,
        "hold": hold._asdict() if hold else None,
        "pin": pin._asdict() if pin else None,
        "quarantine": [
            {"commit": item.commit, "reason": item.reason, "since": item.since}
            for item in quarantined
        ],
        "services": {
            service.name: {
                "active": service.active,
                "sub": service.sub,
                "restarts": service.restarts,
            }
            for service in services.look(settings.services)
            if service.exists
        },
    }


def state(
    settings: Settings, store: Store | None, paths: AppPaths, release: str, services: Services
) -> str:
    """Return the one word for where an app stands."""
    if os.path.lexists(settings.path) and not is_managed(settings.path, paths):
        return "unmanaged"
    unfinished = store.unfinished() if store else None
    if unfinished and unfinished.step == Step.PROBATION:
        return "probation"
    if unfinished and runtime_files.is_running(paths):
        return "updating"
    if store and holds.find(store, now()):
        return "held"
    last = store.last_run() if store else None
    if store is None or not release:
        return "failed" if last and last.exit_code else "unmanaged"
    if unfinished or (last and last.result in (Result.FAILED, Result.BROKEN, Result.UNREACHABLE)):
        return "failed"
    if any(service.crashed for service in services.look(left_broken(store))):
        return "failed"
    current, candidate = store.release(release), store.candidate()
    pin = pins.find(store)
    if pin and current and current.commit == pin.commit and not quarantined(store, pin.commit):
        return "pinned"
    behind = candidate and current and candidate.commit != current.commit
    if candidate and quarantined(store, candidate.commit):
        return "rolled-back" if behind and not stuck(store) else "failed"
    if last and last.result == Result.ROLLED_BACK and behind:
        return "rolled-back"
    if last and last.result == Result.DEFERRED and (behind or not candidate):
        return "deferred"
    return "behind" if behind else "current"


def quarantined(store: Store, commit: str) -> bool:
    """Tell whether a commit failed here."""
    return commit in {item.commit for item in store.quarantined()}


def now() -> str:
    """Return the time of day, for which a hold is in force or not."""
    return Clock().now()


def current(settings: Settings, store: Store | None, release: str) -> dict[str, Any] | None:
    """Return the current release, and whether it is trusted: as a run last found it to be."""
    shown = describe(store, release)
    if shown is None or store is None:
        return shown
    asked = settings.trust.signatures != "off"
    judged = signatures.judgement(store, shown["commit"]) if asked else None
    signer = shown["signer"] or (judged.signer if judged else "")
    return {
        **shown,
        "signer": signer or None,
        "trusted": judged.passes if judged else None,
        "trust_reason": judged.reason if judged else None,
    }


def describe(store: Store | None, release: str) -> dict[str, Any] | None:
    """Return one release as status shows it."""
    found = store.release(release) if store and release else None
    if found is None:
        return (
            {"release": release, "commit": "", "activated_at": "", "signer": None}
            if release
            else None
        )
    return {
        "release": found.id,
        "commit": found.commit,
        "activated_at": found.activated_at,
        "signer": found.signer or None,
    }
