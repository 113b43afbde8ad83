"""The gate before a service's start, where units/pre-start could not decide by itself.

It asks systemd for a run of the app's unit, so that the build is not paid for by the service's
own limits, and so that services that start together share one run.
"""

import os
from collections.abc import Callable
from typing import TypeVar

from autoupdate.config.load import load
from autoupdate.config.settings import Settings
from autoupdate.gates.attempts import stuck
from autoupdate.gates.runnable import useless_current
from autoupdate.host import runtime_files
from autoupdate.host.clock import Clock
from autoupdate.host.links import describe, is_managed
from autoupdate.host.log import HostLog, say
from autoupdate.host.process import NotStartedError, TimedOutError, base_environment, run_unless
from autoupdate.host.systemctl import insist
from autoupdate.host.transient_units import SystemdTransientUnits, TransientUnits
from autoupdate.model.errors import AutoupdateError
from autoupdate.model.events import BLOCKED, STARTED_OLD, UNMANAGED, Event, Kind
from autoupdate.model.paths import AppPaths, Paths
from autoupdate.model.times import seconds
from autoupdate.records import hold
from autoupdate.records.database import StateError
from autoupdate.records.records import Records

Answer = TypeVar("Answer")
# Starts a run of an app, unless it is no longer needed; gives why it failed, or nothing.
Start = Callable[[str, Callable[[], bool]], str]
HOST_TRANSIENT_UNITS = SystemdTransientUnits()
HOST_CLOCK = Clock()
# Longer than the unit's own TimeoutStartSec=.
LONGEST_RUN = 3 * 3600.0 + 60
# By default systemd gives up on a unit with the sixth start in ten seconds (StartLimitBurst= in
# systemd.unit(5)), and nobody would start it again. This leaves room for two orders by hand.
SHORTEST_REFUSAL = 4.0


def start_run(app: str, enough: Callable[[], bool]) -> str:
    """Start a run and wait for it, or until `enough`; return why it failed, or nothing."""
    unit = f"autoupdate@{app}.service"
    try:
        # Asked again, it joins the run that it has started.
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
    """Let a service start (0) or keep it down (1), which takes some seconds."""
    paths = paths or Paths()
    name = arguments[0] if arguments else ""
    began = clock.monotonic()
    try:
        code = pass_gate(paths, load(paths, name), start, transient_units)
    except AutoupdateError as error:
        tell(
            paths, name, BLOCKED, f"{name} may not start: {error.message}. {error.advice}".rstrip()
        )
        code = 1
    if code:
        clock.sleep(max(0.0, SHORTEST_REFUSAL - (clock.monotonic() - began)))
    return code


def pass_gate(
    paths: Paths,
    settings: Settings,
    start: Start,
    transient_units: TransientUnits = HOST_TRANSIENT_UNITS,
) -> int:
    """Decide about one start of a service of a configured app; `start` starts a run."""
    app = paths.app(settings.app)
    # Half a directory must not be started from: an interrupted adoption is undone first.
    if is_unmanaged(settings, app) and not os.path.exists(app.relocation):
        return start_unmanaged(paths, settings)
    if runtime_files.is_activating(app):
        return 0
    interrupted = os.path.exists(app.relocation) or _was_interrupted(app)
    updates = settings.start.update and not _is_held(app.state)
    # A hold does not mean that the services stay down after an upgrade of the host.
    must_run = interrupted or _cannot_run(settings, app)
    if not updates and not must_run:
        return 0
    if not must_run and switching_must_wait(settings, app):
        transient_units.run_now(settings.app)
        return 0
    wish = runtime_files.UPDATE if updates else runtime_files.RECOVER
    before = Clock().now()
    with runtime_files.request(app, wish):
        # The run may wait for a probation that waits for this service: that is the third deadlock.
        fault = start(settings.app, lambda: runtime_files.is_watching(app))
    if is_unmanaged(settings, app) and not os.path.exists(app.relocation):
        return start_unmanaged(paths, settings)
    if fault:
        fault = _last_words(app.state, before) or fault
    elif updates:
        fault = _stuck(app.state)
    return decide(paths, settings, fault, transient_units) if fault else 0


def switching_must_wait(settings: Settings, app: AppPaths) -> bool:
    """Tell whether a run could do no more now than to build what waits for a window.

    No start waits for that: the run goes on beside it. Without a release there is no waiting.
    """
    if not settings.windows.allowed or not os.path.exists(f"{app.current}/.venv/bin/python"):
        return False
    from autoupdate.gates.calendar import are_closed

    return are_closed(settings.windows.allowed, seconds(Clock().now()))


def is_unmanaged(settings: Settings, app: AppPaths) -> bool:
    """Tell whether something that is not ours is where the services look for the app."""
    return os.path.lexists(settings.path) and not is_managed(settings.path, app)


def start_unmanaged(paths: Paths, settings: Settings) -> int:
    """Let a service start from what is not ours, and say so."""
    tell(paths, settings.app, UNMANAGED,
         f"{settings.app} is not managed: {settings.path} is {describe(settings.path)};"
         " the service starts as it is")  # fmt: skip
    return 0


def decide(paths: Paths, settings: Settings, fault: str, transient_units: TransientUnits) -> int:
    """Apply `start.if_update_fails` to an update that failed."""
    name = settings.app
    fault = fault.removeprefix(f"{name}: ")
    if settings.start.if_update_fails == "start":
        tell(paths, name, STARTED_OLD, f"{name} starts on the last good release, because: {fault}")
        return 0
    advice = (
        f"see: autoupdatectl status {name}; to start on the last good release instead, set"
        f' if_update_fails = "start" under [start] in {paths.etc}/apps/{name}.toml'
    )
    message = f"{name} may not start, as start.if_update_fails is block: {fault}; {advice}"
    tell(paths, name, BLOCKED, message)
    notify(paths, settings, message, transient_units)
    return 1


def notify(paths: Paths, settings: Settings, message: str, transient_units: TransientUnits) -> None:
    """Have the administrator told that a service is kept down."""
    if not settings.notify.urls:
        return
    from autoupdate.records import outbox

    try:
        records = Records(paths.app(settings.app).state)
        outbox.put(records, settings.notify, BLOCKED, message, Clock().now())
        records.close()
    except StateError as error:
        # The service's own journal has the reason; the next run looks after the state.
        say(f"autoupdate: nobody is notified: {error.message}")
    else:
        transient_units.send(settings.app)


def _stuck(state: str) -> str:
    return _ask(state, stuck, "")


def _is_held(state: str) -> bool:
    return _ask(state, lambda records: hold.find(records, Clock().now()) is not None, False)


def _was_interrupted(app: AppPaths) -> bool:
    # A run that is alive needs nobody's help. A state that cannot be read is begun anew by a run.
    unreadable = os.path.exists(app.state)
    unfinished = _ask(app.state, lambda records: records.unfinished() is not None, unreadable)
    return unfinished and not runtime_files.is_running(app)


def _cannot_run(settings: Settings, app: AppPaths) -> bool:
    python = settings.build.python
    return _ask(app.state, lambda records: useless_current(app, python, records) is not None, False)


def _last_words(state: str, since: str) -> str:
    """Return why the run that began since then failed; it says more than systemctl can."""
    last = _ask(state, lambda records: records.last_run(), None)
    return last.reason if last and last.exit_code and last.finished_at >= since else ""


def _ask(state: str, question: Callable[[Records], Answer], otherwise: Answer) -> Answer:
    """Ask the state something; `otherwise` stands for what is missing or cannot be read."""
    try:
        records = Records(state, read_only=True)
        try:
            return question(records)
        finally:
            records.close()
    except StateError:
        return otherwise


def tell(paths: Paths, app: str, kind: Kind, message: str) -> None:
    """Log an event, for the service, too: in its own journal, and as its status text."""
    HostLog(paths.log).write(Event(kind, message, app))
    say(message)
    # With Restart=always, `systemctl status` shows no journal line from before the next try.
    show_status(f"autoupdate: {message}")


def show_status(text: str) -> None:
    """Set the service's status text (sd_notify(3)); the drop-in allows it by NotifyAccess=."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
        notify.sendto(f"STATUS={text}".encode(), address.replace("@", "\0", 1))
