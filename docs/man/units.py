"""The parts of autoupdate.timer(8) that describe the units.

What a unit does is written here, in a sentence for administrators. The comments of the unit files
are for those who change the units; they are not used. tests/unit/docs/test_manual.py fails when a
unit of the package is not described here, or when a described one does not exist.
"""

from pathlib import Path

from docs.man.mdoc import argument, escape, paragraph, tagged

UNITS = Path(__file__).parents[2] / "units"

DESCRIBED = {
    "autoupdate.timer": "Starts a run for the default app, ipfs-accelerate. A run that was missed"
    " while the host was off takes place after the next boot. Each host adds a fixed delay of its"
    " own, so that not all hosts ask upstream at the same time.",
    "autoupdate@.timer": "Does the same for the app `NAME`.",
    "autoupdate@.service": "One run for the app `NAME`, as by `autoupdatectl run NAME`. The timers"
    " and the pre-start gate start this unit. If several do so at the same time, there is one run.",
    "autoupdate-confirm@.service": "Watches a new release to which a run switched while a service"
    " of the app was starting. It confirms the release or rolls it back. Runs start this unit when"
    " it is needed.",
    "autoupdate-notify@.service": "Sends the waiting notifications of the app `NAME`, and tries"
    " again later those that could not be delivered. Runs start this unit when it is needed.",
    "autoupdate-clean@.service": "Removes the releases and environments of the app `NAME` that are"
    " no longer needed, with the lowest priority. Runs only rename them, and start this unit.",
}
DROP_IN = (
    "Calls the pre-start gate, `/usr/lib/autoupdate/pre-start`, before the service starts. The"
    " other `ExecStartPre=` lines of the service come first, and still see the release that was"
    " current before the update. `autoupdatectl gate disable SERVICE` masks the drop-in;"
    " `autoupdatectl gate enable SERVICE NAME` writes one for a service of another app."
)
DIRECTIVES = {
    "ExecCondition": "Calls the gate before the service's own `ExecStartPre=` lines, but only if"
    " the Python version of the host has changed: the virtual environment must then be rebuilt"
    " before these lines can work.",
    "ExecStartPre": "Calls the gate for the app with this name. The gate runs as root (`+`) and"
    " does not run code of the app.",
    "TimeoutStartSec": "Leaves enough time for the first build.",
    "ReadWritePaths": "Lets a service with `ProtectSystem=strict` write to its shared files, which"
    " are outside of the release.",
    "NotifyAccess": "Lets the gate show in `systemctl status` why the service does not start.",
}

# The lines of a timer or service that a reader may want to change.
SHOWN = ("OnCalendar", "Persistent", "RandomizedDelaySec", "FixedRandomDelay", "TimeoutStartSec")


def unit_files() -> list[Path]:
    """Return the units of the package, in the order of their description."""
    return [UNITS / name for name in DESCRIBED]


def drop_ins() -> list[Path]:
    """Return the drop-ins of the package for units of other packages."""
    return sorted(UNITS.glob("*.service.d/*.conf"))


def units_section() -> list[str]:
    """Describe every unit, and show the lines of it that may be changed."""
    return tagged([(f"Pa {argument(path.name)}", explained(path)) for path in unit_files()])


def drop_ins_section() -> list[str]:
    """Describe the drop-ins and their directives; those with the same content together."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for path in drop_ins():
        alike.setdefault(directives(path), []).append(f"{path.parent.name}/{path.name}")
    entries = []
    for lines, names in alike.items():
        terms = "\n.It ".join(f"Pa {argument(name)}" for name in names)
        described = [(f"Li {argument(line)}", paragraph(DIRECTIVES[line.partition("=")[0]]))
                     for line in lines]  # fmt: skip
        entries.append((terms, [*paragraph(DROP_IN), *tagged(described)]))
    return tagged(entries)


def explained(path: Path) -> list[str]:
    """Return the description of a unit, and the lines of it that are shown."""
    shown = [line for line in directives(path) if line.partition("=")[0] in SHOWN]
    lines = paragraph(DESCRIBED[path.name])
    if shown:
        lines += [".Bd -literal -offset indent", *map(escape, shown), ".Ed"]
    return lines


def directives(path: Path) -> tuple[str, ...]:
    """Return the lines of a unit that set something; comments and names of sections left out."""
    lines = path.read_text().splitlines()
    return tuple(line for line in lines if "=" in line and not line.startswith("#"))
