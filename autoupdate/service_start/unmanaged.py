"""Services that are none of ours start at once, with a line that says how they could be managed.

That is what a service is whose unit does not lead into the app's path, and every service of an app
that was never deployed here: installing the package changes nothing. Imports next to nothing.
"""

import os
import sys
import time

from autoupdate.config import run_from
from autoupdate.model.paths import Paths
from autoupdate.upstream.ls_refs import Conversation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Look = Callable[[Sequence[str]], list[run_from.Unit]]

# In seconds.
PATIENCE = 10.0
# Those of the event UNMANAGED (model/events.py), which would take long to load.
FIELDS = (
    "MESSAGE_ID=0ef71e7c5a9b4f0c9d6c1b1fd3a5a80f", "PRIORITY=5", "SYSLOG_IDENTIFIER=autoupdate",
    "AUTOUPDATE_EVENT=unmanaged",
)  # fmt: skip


def must_start(paths: Paths, name: str, look: "Look | None" = None) -> bool:
    """Return whether the service that asks starts without an update, and say why.

    `look` returns what units name. After an interrupted adoption the directory may be incomplete:
    it is put back first.
    """
    app = paths.app(name)
    if os.path.lexists(app.relocation):
        return False
    deployed = os.path.islink(app.current)
    place, service = "", own_unit()
    if not deployed:
        # Nothing has to be decided: the unit is asked only if the directory is not known.
        place = run_from.climb(working_directory(), run_from.has_checkout)
    if not place and service:
        units = (look or of_systemd)([service])
        # Also if nothing is deployed: somebody removed `current`, and the usual gate cures that.
        if any(run_from.leads_into(unit, "", app) for unit in units):
            return False
        place = run_from.agreed(units, app)
        place = place if os.path.isdir(place) else ""
    if deployed and not place:
        # A wrapper of which nobody knows where it leads, or a service outside of systemd.
        return False
    tell(paths, name, sentence(name, service or "the service", place))
    return True


def sentence(name: str, service: str, place: str) -> str:
    """Return the line about a service that is not managed."""
    if place:
        return (
            f"{name}: {service} runs from {place}, which is not managed by autoupdate; it starts"
            f" without an update; to manage it: {run_from.adoption(place, name)}"
        )
    return (
        f"{name}: nothing is deployed; {service} starts without an update; to deploy:"
        f" autoupdatectl run {name}"
    )


def working_directory() -> str:
    """Return the working directory that the unit sets for all its commands; empty if it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def own_unit() -> str:
    """Return the service that this process belongs to (cgroups(7)); empty outside of one."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as stream:
            groups = stream.read().splitlines()
    except OSError:
        return ""
    for group in groups:
        number, controllers, path = (*group.split(":", 2), "", "")[:3]
        if (number, controllers) == ("0", "") or controllers == "name=systemd":
            # Control processes of units with Delegate= are in a group of their own below.
            for part in reversed(path.split("/")):
                if part.endswith(".service"):
                    return part.removeprefix("_")
    return ""


def of_systemd(names: "Sequence[str]") -> list[run_from.Unit]:
    """Return what units name; none if systemctl does not answer."""
    command = ["/usr/bin/systemctl", "show", f"--property={','.join(run_from.PROPERTIES)}", "--"]
    environment = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    deadline = time.monotonic() + PATIENCE
    # As host/services.py does, which would take as long to load as all the rest here.
    with Conversation([*command, *names], environment, None, deadline) as asked:
        answer = asked.rest().decode("utf-8", "surrogateescape")
    return run_from.parse(answer, names) if answer else []


def tell(paths: Paths, name: str, message: str) -> None:
    """Log the event, and print it for the journal of the service."""
    from autoupdate.host.log_sinks import append_line, printable, send

    send([f"MESSAGE={message}", *FIELDS, f"AUTOUPDATE_APP={name}"])
    try:
        append_line(paths.log, message)
        print(printable(message), file=sys.stderr, flush=True)
    except OSError:
        # The journal has it; a service does not stay down for want of a log.
        return
