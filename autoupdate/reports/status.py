"""The facts of `status`, as plain data. Every user may read them."""

import os
from typing import Any

from autoupdate.config.run_from import elsewhere
from autoupdate.config.sections import Settings
from autoupdate.gates import signatures
from autoupdate.gates.attempts import stuck
from autoupdate.gates.backoff import retry_at
from autoupdate.host import runtime_files
from autoupdate.host.clock import Clock
from autoupdate.host.links import is_managed, linked_release
from autoupdate.host.services import Services, confirm_unit
from autoupdate.model.paths import AppPaths
from autoupdate.model.steps import Result, Step
from autoupdate.records import hold as holds
from autoupdate.records import network_trouble
from autoupdate.records import pin as pins
from autoupdate.records.records import Records
from autoupdate.records.rows import Release, Transaction
from autoupdate.update.probation import left_broken
from autoupdate.update.rehearsal.choice import known_faults


def status(settings: Settings, paths: AppPaths, services: Services) -> dict[str, Any]:
    """Return the state of an app and of its services."""
    records = Records(paths.state, read_only=True) if os.path.exists(paths.state) else None
    release = linked_release(paths.current)
    candidate = records.candidate() if records else None
    last = records.last_run() if records else None
    quarantined = records.quarantined() if records else []
    hold = holds.find(records, now()) if records else None
    pin = pins.find(records) if records else None
    away = elsewhere(services.directives(settings.services), "", paths)
    seen = services.look(settings.services)
    present = [item for item in seen if item.exists or item.has_lost_its_unit]
    trouble = network_trouble.find(records) if records else None
    unfinished = records.unfinished() if records else None
    # Once: a run may end between two looks, and the words must fit together.
    busy = runtime_files.is_running(paths)
    updating = unfinished if busy else None
    return {
        "app": settings.app,
        "settings_fault": None,
        "state": "unmanaged"
        if present and away.keys() >= {item.name for item in present}
        else state(settings, records, paths, services, unfinished, updating),
        "watched": is_watched(settings.app, unfinished, services, busy=busy),
        "interrupted": {"step": unfinished.step, "commit": unfinished.commit}
        if unfinished and not busy and unfinished.step != Step.PROBATION
        else None,
        "current": current(settings, records, release),
        "previous": describe(records, linked_release(paths.previous)),
        "candidate": candidate._asdict() if candidate else None,
        "last_run": last._asdict() if last else None,
        "last_success_at": records.last_success_at() if records else None,
        "network_trouble": trouble._asdict() if trouble else None,
        "rehearsal": {
            "left_out": [item._asdict() for item in known_faults(records)] if records else [],
        },
        "hold": hold._asdict() if hold else None,
        "pin": pin._asdict() if pin else None,
        "quarantine": [
            {
                "commit": item.commit,
                "reason": item.reason,
                "since": item.since,
                "retry_at": retry_at(item) or None,
            }
            for item in quarantined
        ],
        "services": {
            service.name: {
                "active": service.active,
                "sub": service.sub,
                "restarts": service.restarts,
                "runs_from": away.get(service.name),
                "text": service.text or None,
                "unit": service.load,
            }
            for service in present
        },
    }


def is_watched(app: str, unfinished: Transaction | None, services: Services, *, busy: bool) -> bool:
    """Return whether a release is on probation, and a process is there to confirm it or undo it."""
    if unfinished is None or unfinished.step != Step.PROBATION:
        return False
    return busy or any(
        unit.active in ("active", "activating") or unit.has_job
        for unit in services.look([confirm_unit(app)])
    )


def state(
    settings: Settings,
    records: Records | None,
    paths: AppPaths,
    services: Services,
    unfinished: Transaction | None,
    updating: Transaction | None,
) -> str:
    """Return the state of an app in one word.

    `unfinished` is an update without an end; `updating` is the same if its run is under way.
    """
    release = linked_release(paths.current)
    if os.path.lexists(settings.path) and not is_managed(settings.path, paths):
        return "unmanaged"
    if unfinished and unfinished.step == Step.PROBATION:
        return "probation"
    if updating:
        return "updating"
    if records and holds.find(records, now()):
        return "held"
    last = records.last_run() if records else None
    if records is None or not release:
        return "failed" if last and last.exit_code else "unmanaged"
    # What was interrupted before the switch has changed nothing.
    switching = unfinished and unfinished.step in (Step.ACTIVATE, Step.ROLL_BACK)
    if switching or (last and last.result in (Result.FAILED, Result.BROKEN, Result.UNREACHABLE)):
        return "failed"
    if any(service.crashed for service in services.look(left_broken(records))):
        return "failed"
    current, candidate = records.release(release), records.candidate()
    pin = pins.find(records)
    if pin:
        return where_pinned(records, pin.commit, current)
    behind = candidate and current and candidate.commit != current.commit
    if candidate and quarantined(records, candidate.commit):
        is_old = behind and not stuck(records) and not failed_before(records, candidate.commit)
        return "rolled-back" if is_old else "failed"
    if last and last.result == Result.ROLLED_BACK and behind:
        return "rolled-back"
    if last and last.result == Result.DEFERRED and (behind or not candidate):
        return "deferred"
    return "behind" if behind else "current"


def where_pinned(records: Records, commit: str, current: Release | None) -> str:
    """Return the state of an app that is pinned to a commit."""
    there = current and current.commit == commit
    if quarantined(records, commit):
        return "failed" if there or stuck(records) else "rolled-back"
    return "pinned" if there else "behind"


def quarantined(records: Records, commit: str) -> bool:
    """Return whether a commit is in quarantine."""
    return commit in {item.commit for item in records.quarantined()}


def failed_before(records: Records, commit: str) -> bool:
    """Return whether a commit in quarantine failed its rehearsal, so that none was rolled back."""
    return any(
        (item.commit, item.step) == (commit, Step.REHEARSE) for item in records.quarantined()
    )


def now() -> str:
    """Return the time of day, RFC 3339 in UTC: a hold may have ended by then."""
    return Clock().now()


def current(settings: Settings, records: Records | None, release: str) -> dict[str, Any] | None:
    """Return the current release, and whether the last signature check trusted it."""
    shown = describe(records, release)
    if shown is None or records is None:
        return shown
    asked = settings.trust.signatures != "off"
    judged = signatures.judgement(records, shown["commit"]) if asked else None
    signer = shown["signer"] or (judged.signer if judged else "")
    return {
        **shown,
        "signer": signer or None,
        "trusted": judged.passes if judged else None,
        "trust_reason": judged.reason if judged else None,
    }


def describe(records: Records | None, release: str) -> dict[str, Any] | None:
    """Return one release as `status` shows it."""
    found = records.release(release) if records and release else None
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
