"""The gate of the windows, and the run that systemd starts when the next one opens."""

from autoupdate.app import App
from autoupdate.gates.runnable import is_usable
from autoupdate.host.links import linked_release
from autoupdate.model.events import STEP
from autoupdate.model.times import seconds, write
from autoupdate.model.verdict import Verdict

GATE = "window"


def window(app: App, commit: str) -> Verdict:
    """Tell whether the services may be switched now (`windows.allowed`).

    A host that has nothing to run, or whose release cannot run any more, does not wait.
    """
    allowed = app.settings.windows.allowed
    if not allowed:
        return Verdict(GATE, True, "no window is set")
    from autoupdate.gates.calendar import fault, is_open, next_opening, parse

    current = app.records.release(linked_release(app.paths.current))
    if current is None or not is_usable(app.paths, app.settings.build.python, current):
        return Verdict(GATE, True, "no release is in place that works", forceable=True)
    if said := fault(allowed):
        # Only the switch needs it: what runs goes on, and services start.
        return Verdict(GATE, False, said, f"autoupdatectl config check {app.name}")
    windows = [parse(text) for text in allowed]
    now = float(seconds(app.clock.now()))
    if is_open(windows, now):
        return Verdict(GATE, True, f"open: {', '.join(allowed)}", forceable=True)
    opens = next_opening(windows, now)
    when = f"the next one opens at {write(opens)}" if opens else "none opens within two weeks"
    return Verdict(
        GATE, False, f"outside of the windows ({', '.join(allowed)}); {when}",
        f"to switch now: autoupdatectl run --force {app.name}", forceable=True,
    )  # fmt: skip


def wait_for_opening(app: App, verdict: Verdict) -> None:
    """Have a run started at the next opening, when it is a closed window that a release waits for.

    systemd forgets it with a reboot: after that the first start of a service, or the next run by
    the ordinary timer, asks for it again.
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
        app.tell(STEP, f"{app.name}: no run is planned for {write(opens)}, the ordinary timer has"
                 f" to do: {fault}")  # fmt: skip
