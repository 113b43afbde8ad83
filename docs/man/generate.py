"""Writes the manual pages: `python3 -m docs.man.generate DIRECTORY`.

Each page is a template (`*.in`) in which a line `@NAME@` stands for a generated part. The date is
SOURCE_DATE_EPOCH's, which Debian's build takes from the changelog.
"""

import os
import sys
import time
from pathlib import Path

from docs.man import command, configuration, units

TEMPLATES = Path(__file__).parent


def parts(epoch: int) -> dict[str, list[str]]:
    """Return every generated part by the name that templates call it; dated in seconds of Unix."""
    return {
        "DATE": [f".Dd {date(epoch)}"],
        "VERBS": command.verbs_section(),
        "OPTIONS": command.options_section(),
        "EXIT_CODES": command.exit_section(),
        "SETTINGS": configuration.settings_section(),
        "PROBE": configuration.probes_section(),
        "UNITS": units.units_section(),
        "DROP_INS": units.drop_ins_section(),
    }


def date(seconds: int) -> str:
    """Return a day in the form of mdoc(7), in English and UTC wherever this runs."""
    months = "January February March April May June July August September October November December"
    day = time.gmtime(seconds)
    return f"{months.split()[day.tm_mon - 1]} {day.tm_mday}, {day.tm_year}"


def pages(epoch: int) -> dict[str, str]:
    """Return every page by the name of its file, dated in seconds of Unix.

    Raises KeyError for a template that names an unknown part.
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
