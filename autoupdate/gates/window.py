"""window: may services be switched now? And the run that systemd starts when a window opens."""

from autoupdate.app import App
from autoupdate.gates.runnable import is_usable
from autoupdate.host.links import linked_release
from autoupdate.model.events import STEP
from autoupdate.model.times import seconds, write
from autoupdate.model.verdict import Verdict

GATE = "window"


def window(app: App, commit: str) -> Verdict:
    """Refuse a switch outside `windows.allowed`.

    With nothing deployed, or a release that can no longer run, windows are not checked.
    """
    allowed = app.settings.windows.allowed
    if not allowed:
        return Verdict(GATE, True, "not set")
    from autoupdate.gates.calendar import fault, is_open, next_opening, parse

    current = app.records.release(linked_release(app.paths.current))
    if current is None or not is_usable(app.paths, app.settings.build.python, current):
        return Verdict(GATE, True, "not checked: no working release is deployed", forceable=True)
    if said := fault(allowed):
        # Only the switch is refused: services keep running, and may start.
        return Verdict(GATE, False, said, f"autoupdatectl config check {app.name}")
    windows = [parse(text) for text in allowed]
    now = float(seconds(app.clock.now()))
    if is_open(windows, now):
        return Verdict(GATE, True, f"open: {', '.join(allowed)}", forceable=True)
    opens = next_opening(windows, now)
    when = f"the next one opens at {write(opens)}" if opens else "none opens within two weeks"
    return Verdict(
        GATE, False, f"outside the windows ({', '.join(allowed)}); {when}",
        f"to switch now: autoupdatectl run --force {app.name}", forceable=True,
    )  # fmt: skip


def wait_for_opening(app: App, verdict: Verdict) -> None:
    """Schedule a run for the next opening, if a closed window is why a release waits.

    systemd forgets it at a reboot; the first start of a service, or the next run by the regular
    timer, schedules it again.
    """
    from autoupdate.gates import calendar
    from autoupdate.gates.calendar import next_opening, parse, spread

    allowed = app.settings.windows.allowed
    if verdict.gate != GATE or calendar.fault(allowed):
        return
    windows = [parse(text) for text in allowed]
    opens = next_opening(windows, float(seconds(app.clock.now())))
    if opens is None:
        return
    if fault := app.host.transient_units.run_at(app.name, opens, spread(windows, opens)):
        app.tell(STEP, f"{app.name}: cannot schedule a run for {write(opens)}, so the update waits"
                 f" for a run by the regular timer: {fault}")  # fmt: skip
