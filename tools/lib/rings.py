"""Prints how much of each module the tests execute, from reports of coverage.py."""

import json
import sys
from pathlib import Path


def percentages(report: Path) -> dict[str, float]:
    """Return the percentage of executed lines for each module, and for all of them as "total"."""
    facts = json.loads(report.read_text())
    found = {name: file["summary"]["percent_covered"] for name, file in facts["files"].items()}
    return {**found, "total": facts["totals"]["percent_covered"]}


def main(reports: list[str]) -> None:
    """Print a table with a column for each report, named after its file."""
    rings = {Path(report).stem: percentages(Path(report)) for report in reports}
    names = sorted({name for ring in rings.values() for name in ring} - {"total"})
    print(f"{'':40}" + "".join(f"{ring:>14}" for ring in rings))
    for name in [*names, "total"]:
        shares = "".join(f"{ring.get(name, 0):>13.0f}%" for ring in rings.values())
        print(f"{Path(name).as_posix():40}{shares}")


if __name__ == "__main__":
    main(sys.argv[1:])
