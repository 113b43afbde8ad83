"""The drop-in that puts the gate before the start of a service, for services of any app.

Those of the default app have one in the package. This one is the administrator's, and is kept when
the package is removed: the service then starts without the gate (systemd.service(5)).
"""

import os
from contextlib import suppress
from typing import NamedTuple

from autoupdate.adoption.disable_old_updaters import replace
from autoupdate.config.run_from import GATE
from autoupdate.host.links import remove_link, replace_link
from autoupdate.host.services import Units
from autoupdate.host.unit_files import drop_ins, lines
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.paths import Paths

# Read after all others: one of them may remove the ExecStartPre= lines before it.
NAME = "95-autoupdate-gate.conf"
OF_PACKAGE = "50-autoupdate.conf"
NOWHERE = "/dev/null"


class Done(NamedTuple):
    """What `enable` or `disable` did: the file that it wrote or removed, if it did either."""

    words: str
    file: str
    changed: bool


def text(paths: Paths, app: str) -> str:
    """Return the drop-in."""
    # A failure of the gate keeps the service down, but a missing gate does not.
    asked = f"test ! -e {GATE} || exec {GATE} {app}"
    return "\n".join([
        "# Written by autoupdatectl gate enable; autoupdatectl gate disable removes it.",
        "# It is kept when the package is removed; the service then starts without the gate.",
        "[Service]",
        f'ExecCondition=-+/bin/sh -c "{asked} --if-python-changed"',
        f'ExecStartPre=+/bin/sh -c "{asked}"',
        "TimeoutStartSec=45min",
        f"ReadWritePaths=-{paths.app(app).shared}",
        "NotifyAccess=exec",
        "",
    ])  # fmt: skip


def enable(paths: Paths, units: Units, service: str, app: str) -> Done:
    """Put the gate before the start of a service, from its next start on.

    Raises UpdateFailedError if systemd does not read it.
    """
    override = at(paths, service, OF_PACKAGE)
    if of_package(paths, service) and leads_nowhere(override):
        remove_link(override)
        units.reload()
        return Done(f"{service}: the drop-in of the package counts again", override, changed=True)
    file, wanted = at(paths, service, NAME), text(paths, app)
    if os.path.lexists(file) and "\n".join([*lines(file), ""]) == wanted:
        words = f"{service}: already checks for updates of {app} before it starts"
        return Done(words, file, changed=False)
    replace(file, wanted.encode())
    units.reload()
    words = f"{service}: checks for updates of {app} before it starts, by {file}"
    return Done(words, file, changed=True)


def disable(paths: Paths, units: Units, service: str) -> Done:
    """Take the gate away; the package's own drop-in is masked.

    Raises ConfigurationError for the gate in a file that somebody else wrote, and UpdateFailedError
    if systemd does not read it.
    """
    file, override = at(paths, service, NAME), at(paths, service, OF_PACKAGE)
    done = Done(f"{service}: has no gate", "", changed=False)
    if os.path.lexists(file):
        remove_link(file)
        # Unless there are other drop-ins.
        with suppress(OSError):
            os.rmdir(os.path.dirname(file))
        done = Done(
            f"{service}: starts without a check for updates; {file} was removed", file, True
        )
    if of_package(paths, service) and not os.path.lexists(override):
        os.makedirs(os.path.dirname(override), exist_ok=True)
        replace_link(NOWHERE, override)
        words = f"{service}: starts without a check for updates; {override} masks the package's own"
        done = Done(words, override, changed=True)
    if done.changed:
        units.reload()
    for other in drop_ins(paths, service).values():
        if not leads_nowhere(other) and any(calls_gate(line) for line in lines(other)):
            raise ConfigurationError(
                f"{other} calls the gate, and was not written by autoupdatectl",
                f"remove the lines with {GATE} from it, then: systemctl daemon-reload",
            )
    return done


def calls_gate(line: str) -> bool:
    """Return whether a line of a unit file runs the gate."""
    return GATE in line and not line.lstrip().startswith(("#", ";"))


def at(paths: Paths, service: str, name: str) -> str:
    """Return a drop-in in the administrator's directory."""
    return f"{paths.administrators_units}/{service}.d/{name}"


def of_package(paths: Paths, service: str) -> bool:
    """Return whether the package has a drop-in for a service."""
    return any(
        os.path.exists(f"{directory}/{service}.d/{OF_PACKAGE}")
        for directory in paths.unit_directories[1:]
    )


def leads_nowhere(file: str) -> bool:
    """Return whether a drop-in is a link that masks another one of its name."""
    return os.path.islink(file) and os.path.realpath(file) == NOWHERE
