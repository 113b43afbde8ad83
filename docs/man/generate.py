"""Writes the manual pages: `python3 -m docs.man.generate DIRECTORY`.

Each page is a template (`*.in`) in which a line `@NAME@` is replaced by a generated part. The date
is SOURCE_DATE_EPOCH, which Debian's build takes from the changelog.
"""

import os
import sys
import time
from pathlib import Path

from docs.man import command, configuration, units

TEMPLATES = Path(__file__).parent


def parts(epoch: int) -> dict[str, list[str]]:
    """Return every generated part by its name in the templates; `epoch` is Unix time."""
    return {
        "DATE": [f".Dd {date(epoch)}"],
        "VERBS": command.verbs_section(),
        "OPTIONS": command.options_section(),
        "EXIT_CODES": command.exit_section(),
        "SETTINGS": configuration.settings_section(),
        "CREDENTIALS": configuration.credentials_section(),
        "PROBE": configuration.probes_section(),
        "UNITS": units.units_section(),
        "DROP_INS": units.drop_ins_section(),
    }


def date(seconds: int) -> str:
    """Return a date as mdoc(7) wants it, in English and UTC on every host."""
    months = "January February March April May June July August September October November December"
    day = time.gmtime(seconds)
    return f"{months.split()[day.tm_mon - 1]} {day.tm_mday}, {day.tm_year}"


def pages(epoch: int) -> dict[str, str]:
    """Return every page by its file name; `epoch` (Unix time) is its date.

    Raises KeyError for an unknown part in a template.
    """
    known = parts(epoch)
    made = {}
    for template in sorted(TEMPLATES.glob("*.in")):
        lines: list[str] = []
        for line in template.read_text(encoding="utf-8").splitlines():
            named = line.strip("@") if line.startswith("@") and line.endswith("@") else ""
            lines += known[named] if named else [line]
        made[template.stem] = "\n".join(lines) + "\n"
    return made


def main(directory: str) -> None:
    """Write the pages into a directory."""
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    for name, text in pages(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))).items():
        (target / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
