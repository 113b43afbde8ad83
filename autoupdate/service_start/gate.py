"""The gate before a service's start, for what units/pre-start cannot decide.

It starts a run as the unit autoupdate@APP.service: the resource limits of the service do not apply
to the build, and services that start together share one run.
"""

import os
from collections.abc import Callable
from typing import TypeVar

from autoupdate.config.claims import refuse_conflicts
from autoupdate.config.load import is_name, load, read
from autoupdate.config.run_from import adoption, located
from autoupdate.config.sections import Settings
from autoupdate.gates.attempts import stuck, was_only_rehearsed
from autoupdate.gates.runnable import useless_current
from autoupdate.host import runtime_files
from autoupdate.host.clock import Clock
from autoupdate.host.links import describe, is_managed, linked_release
from autoupdate.host.log import HostLog, say
from autoupdate.host.process import NotStartedError, TimedOutError, base_environment, run_unless
from autoupdate.host.services import Systemd
from autoupdate.host.systemd_retry import insist
from autoupdate.host.transient_units import SystemdTransientUnits, TransientUnits
from autoupdate.model.errors import AutoupdateError
from autoupdate.model.events import BLOCKED, STARTED_OLD, UNMANAGED, Event, Kind
from autoupdate.model.paths import AppPaths, Paths
from autoupdate.model.times import seconds
from autoupdate.records import hold, network_trouble, probes
from autoupdate.records.database import StateError
from autoupdate.records.records import Records

Answer = TypeVar("Answer")
# Starts a run of an app and waits for it, or until the callable returns true; returns why the run
# failed, or "".
Start = Callable[[str, Callable[[], bool]], str]
HOST_TRANSIENT_UNITS = SystemdTransientUnits()
HOST_CLOCK = Clock()
# In seconds; longer than TimeoutStartSec= of the unit.
LONGEST_RUN = 3 * 3600.0 + 60
# In seconds. By default systemd refuses the sixth start of a unit in ten seconds, and does not try
# again (StartLimitBurst= in systemd.unit(5)). This leaves room for two starts by hand.
SHORTEST_REFUSAL = 4.0
UNUSABLE, ADVICE = "the settings cannot be used", "see: autoupdatectl config check"


def start_run(app: str, enough: Callable[[], bool]) -> str:
    """Start a run and wait for it, or until `enough()`; return why it failed, or ""."""
    unit = f"autoupdate@{app}.service"
    try:
        # A second `systemctl start` joins the run that the first one started.
        answer = insist(
            lambda: run_unless(
                ["systemctl", "start", "--", unit],
                environment=base_environment("/root"),
                timeout=LONGEST_RUN,
                enough=enough,
            )
        )
    except (NotStartedError, TimedOutError) as error:
        return str(error)
    if answer and answer.returncode:
        return answer.stderr.strip().partition("\n")[0] or f"{unit} failed"
    return ""


def main(
    arguments: list[str],
    paths: Paths | None = None,
    start: Start = start_run,
    transient_units: TransientUnits = HOST_TRANSIENT_UNITS,
    clock: Clock = HOST_CLOCK,
) -> int:
    """Let a service start (0) or keep it down (1, after SHORTEST_REFUSAL at least)."""
    paths = paths or Paths()
    name = arguments[0] if arguments else ""
    began = clock.monotonic()
    try:
        settings = located(load(paths, name), Systemd().directives, paths.app(name))
    except AutoupdateError as error:
        code = pass_without_settings(paths, name, error, start)
    else:
        code = pass_gate(paths, settings, start, transient_units)
    if code:
        clock.sleep(max(0.0, SHORTEST_REFUSAL - (clock.monotonic() - began)))
    return code


def pass_without_settings(
    paths: Paths, name: str, error: AutoupdateError, start: Start = start_run
) -> int:
    """Let a service start on what is deployed, as the settings of its app cannot be used."""
    app = paths.app(name) if is_name(name) else None
    if app and runtime_files.is_activating(app):
        return 0
    if app and (os.path.exists(app.relocation) or _was_interrupted(app)):
        with runtime_files.request(app, runtime_files.RECOVER):
            # It fails, because of the settings, but ends by the last valid ones what was begun.
            start(name, lambda: runtime_files.is_watching(app))
    if app and os.path.exists(app.relocation):
        # The directory may be incomplete.
        tell(paths, name, BLOCKED,
             f"{name}: {UNUSABLE}: {error.message}; an interrupted adoption could not be undone, so"
             f" the service is not started; {ADVICE} {name}")  # fmt: skip
        return 1
    return start_on_deployed(paths, name, app, error.message)


def start_on_deployed(paths: Paths, name: str, app: AppPaths | None, fault: str) -> int:
    """Let a service start although the settings cannot be used, and report that."""
    release = linked_release(app.current) if app else ""
    what = f"release {release}, which is deployed" if release else "what is there"
    tell(paths, name, STARTED_OLD,
         f"{name}: {UNUSABLE}: {fault}; the service starts on {what}; {ADVICE} {name}"
         )  # fmt: skip
    return 0


def conflict_with_another(paths: Paths, name: str) -> str:
    """Return why a run refused the settings of this app because of another app; empty if not."""
    try:
        refuse_conflicts(paths, name, read(paths, name))
    except AutoupdateError as error:
        return error.message
    return ""


def pass_gate(
    paths: Paths,
    settings: Settings,
    start: Start,
    transient_units: TransientUnits = HOST_TRANSIENT_UNITS,
) -> int:
    """Let one service of an app start (0) or keep it down (1); `start` starts a run."""
    app = paths.app(settings.app)
    # After an interrupted adoption the directory may be incomplete: it is undone first.
    if is_unmanaged(settings, app) and not os.path.exists(app.relocation):
        return start_unmanaged(paths, settings)
    if runtime_files.is_activating(app):
        return 0
    interrupted = os.path.exists(app.relocation) or _was_interrupted(app)
    updates = settings.start.update and not _is_held(app.state)
    # A release whose Python the host has replaced is built again even on hold: it cannot run.
    must_run = interrupted or _cannot_run(settings, app)
    if not updates and not must_run:
        return 0
    if not must_run and switching_must_wait(settings, app):
        transient_units.run_now(settings.app)
        return 0
    wish = runtime_files.UPDATE if updates else runtime_files.RECOVER
    before = Clock().now()
    with runtime_files.request(app, wish):
        # Waiting to the end would deadlock: the run may wait for a probation, which waits for this
        # service.
        fault = start(settings.app, lambda: runtime_files.is_watching(app))
    if is_unmanaged(settings, app) and not os.path.exists(app.relocation):
        return start_unmanaged(paths, settings)
    if fault:
        fault = _last_words(app.state, before) or fault
        probe = _ask(app.state, probes.fault, "")
        if probe and probe in fault:
            # Not the fault of any commit: the service starts on what is deployed.
            tell(paths, settings.app, STARTED_OLD, f"{settings.app}: not updated, because the"
                 f" {probe}; the service starts on what is deployed")  # fmt: skip
            return 0
        if _ask(app.state, lambda records: was_only_rehearsed(records, before), False):
            tell(paths, settings.app, STARTED_OLD,
                 f"{settings.app}: {fault}; the service starts on what is deployed")  # fmt: skip
            return 0
        if conflict := conflict_with_another(paths, settings.app):
            return start_on_deployed(paths, settings.app, app, conflict)
    elif updates:
        fault = _stuck(app.state)
    return decide(paths, settings, fault, transient_units) if fault else 0


def switching_must_wait(settings: Settings, app: AppPaths) -> bool:
    """Return whether the windows are closed, so that a run could build a release but not switch.

    The service need not wait for such a run: both go on in parallel. Always false if nothing that
    can run is deployed.
    """
    if not settings.windows.allowed or not os.path.exists(f"{app.current}/.venv/bin/python"):
        return False
    from autoupdate.gates.calendar import are_closed

    return are_closed(settings.windows.allowed, seconds(Clock().now()))


def is_unmanaged(settings: Settings, app: AppPaths) -> bool:
    """Return whether `path` exists and is not managed by autoupdate."""
    return os.path.lexists(settings.path) and not is_managed(settings.path, app)


def start_unmanaged(paths: Paths, settings: Settings) -> int:
    """Let a service start from what is at `path`, and report that it is not managed."""
    tell(paths, settings.app, UNMANAGED,
         f"{settings.app}: {settings.path} is {describe(settings.path)}; the service starts without"
         f" an update; to manage it: {adoption(settings.path, settings.app)}")  # fmt: skip
    return 0


def decide(paths: Paths, settings: Settings, fault: str, transient_units: TransientUnits) -> int:
    """Apply `start.if_update_fails` to an update that failed."""
    name = settings.app
    fault = fault.removeprefix(f"{name}: ")
    if settings.start.if_update_fails == "start":
        tell(paths, name, STARTED_OLD,
             f"{name}: the update failed: {fault}; the service starts on the last good release"
             )  # fmt: skip
        return 0
    if outage := is_over_patience(settings, paths.app(name)):
        tell(paths, name, STARTED_OLD, f"{name}: the update failed: {fault}; {outage}")
        return 0
    advice = (
        f"see: autoupdatectl status {name}; to start on the last good release instead, set"
        f' if_update_fails = "start" under [start] in {paths.etc}/apps/{name}.toml'
    )
    message = (
        f"{name}: the update failed: {fault}; the service is not started, as"
        f" start.if_update_fails is block; {advice}"
    )
    tell(paths, name, BLOCKED, message)
    notify(paths, settings, message, transient_units)
    return 1


def is_over_patience(settings: Settings, app: AppPaths) -> str:
    """Say that an outage has lasted for longer than `start.patience`; "" if a start is refused."""
    trouble = _ask(app.state, network_trouble.find, None)
    if not settings.start.patience or trouble is None:
        return ""
    refused, patience = runtime_files.refused_for(app), settings.start.patience
    if refused < patience or not os.path.exists(f"{app.current}/.venv/bin/python"):
        return ""
    server = trouble.server or "a server that the build needs"
    return (
        f"{server} has not worked since {trouble.since}, and starts have been refused for"
        f" {refused:.0f} s, longer than start.patience ({patience:g} s): the service starts on the"
        " last good release"
    )


def notify(paths: Paths, settings: Settings, message: str, transient_units: TransientUnits) -> None:
    """Notify the administrator that a service is kept down."""
    if not settings.notify.urls:
        return
    from autoupdate.records import outbox

    try:
        records = Records(paths.app(settings.app).state)
        outbox.put(records, settings.notify, BLOCKED, message, Clock().now())
        records.close()
    except StateError as error:
        # The journal has the reason; the next run replaces a damaged state.
        say(f"autoupdate: no notification is sent: {error.message}")
    else:
        transient_units.send(settings.app)


def _stuck(state: str) -> str:
    return _ask(state, stuck, "")


def _is_held(state: str) -> bool:
    return _ask(state, lambda records: hold.find(records, Clock().now()) is not None, False)


def _was_interrupted(app: AppPaths) -> bool:
    # A running update is not interrupted. A state that cannot be read needs a run to replace it.
    unreadable = os.path.exists(app.state)
    unfinished = _ask(app.state, lambda records: records.unfinished() is not None, unreadable)
    return unfinished and not runtime_files.is_running(app)


def _cannot_run(settings: Settings, app: AppPaths) -> bool:
    python = settings.build.python
    return _ask(app.state, lambda records: useless_current(app, python, records) is not None, False)


def _last_words(state: str, since: str) -> str:
    """Return why the run that ended since then failed; systemctl's own message says less."""
    last = _ask(state, lambda records: records.last_run(), None)
    return last.reason if last and last.exit_code and last.finished_at >= since else ""


def _ask(state: str, question: Callable[[Records], Answer], otherwise: Answer) -> Answer:
    """Ask the state something; return `otherwise` if the state is missing or cannot be read."""
    try:
        records = Records(state, read_only=True)
        try:
            return question(records)
        finally:
            records.close()
    except StateError:
        return otherwise


def tell(paths: Paths, app: str, kind: Kind, message: str) -> None:
    """Log an event, also in the journal of the service and as its status text."""
    HostLog(paths.log).write(Event(kind, message, app))
    say(message)
    # With Restart=always, `systemctl status` shows only journal lines of the current attempt.
    show_status(f"autoupdate: {message}")


def show_status(text: str) -> None:
    """Set the service's status text (sd_notify(3)); NotifyAccess= in the drop-in allows it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
        notify.sendto(f"STATUS={text}".encode(), address.replace("@", "\0", 1))
