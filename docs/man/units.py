"""The parts of autoupdate.timer(8) that the units know."""

import re
from pathlib import Path

from docs.man.mdoc import argument, escape, paragraph, tagged

UNITS = Path(__file__).parents[2] / "units"
# Which lines of a timer a reader may want to change.
SHOWN = ("OnCalendar", "Persistent", "RandomizedDelaySec", "FixedRandomDelay", "TimeoutStartSec")


def unit_files() -> list[Path]:
    """Return the units of the package, timers first."""
    return [*sorted(UNITS.glob("*.timer")), *sorted(UNITS.glob("*.service"))]


def drop_ins() -> list[Path]:
    """Return what the package adds to units of others."""
    return sorted(UNITS.glob("*.service.d/*.conf"))


def units_section() -> list[str]:
    """Explain every unit by the comment that it opens with, and by what can be changed in it."""
    return tagged([(f"Pa {argument(path.name)}", explained(path)) for path in unit_files()])


def drop_ins_section() -> list[str]:
    """Explain what the package adds to the services; services whose addition is equal together."""
    alike: dict[str, list[str]] = {}
    for path in drop_ins():
        alike.setdefault(path.read_text(), []).append(f"{path.parent.name}/{path.name}")
    entries = []
    for text, names in alike.items():
        terms = [f"Pa {argument(name)}" for name in names]
        entries.append(("\n.It ".join(terms), [*paragraph(opening(text)), *commented(text)]))
    return tagged(entries)


def explained(path: Path) -> list[str]:
    """Return what a unit says of itself, and the lines of it that are shown."""
    text = path.read_text()
    shown = [line for line in text.splitlines() if line.partition("=")[0] in SHOWN]
    lines = paragraph(opening(text))
    if shown:
        lines += [".Bd -literal -offset indent", *map(escape, shown), ".Ed"]
    return lines


def opening(text: str) -> str:
    """Return the comment that a unit begins with."""
    comment = re.match(r"(?:#.*\n)+", text)
    if comment is None:
        raise ValueError("a unit does not begin with a comment")
    return re.sub(r"^# ?", "", comment[0], flags=re.MULTILINE)


def commented(text: str) -> list[str]:
    """Return the settings of a unit as a list, each with the comment above it."""
    found = re.findall(r"^((?:#.*\n)+)([A-Za-z]+)=(.*)$", text, re.MULTILINE)
    entries = []
    for comment, key, value in found:
        meaning = paragraph(re.sub(r"^# ?", "", comment, flags=re.MULTILINE))
        entries.append((f"Li {argument(f'{key}={value}')}", meaning))
    return tagged(entries)
