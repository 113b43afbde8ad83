"""tools/bench: sets up, measures everything, and writes docs/performance.md."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.lib.bench import booted, profile, real_shape, small_costs, updates
from tools.lib.bench.report import Findings, write
from tools.lib.bench.site import PROJECT, Bench
from tools.lib.bench.updates import Small

DOCUMENT, PLOT = PROJECT / "docs/performance.md", PROJECT / "docs/performance.svg"


OF_SMALL: dict[str, Callable[[Small, Findings], None]] = {
    "nothing-new": updates.nothing_new,
    "code-only": updates.code_only,
    "requirement": updates.requirement_changed,
    "profile": profile.measure,
    "memory": small_costs.memory,
    "new-objects": small_costs.new_objects,
}
OF_OTHERS: dict[str, Callable[[Bench, Findings], None]] = {
    "big-tree": updates.big_tree,
    "big-environment": updates.big_environment,
    "real-shape": real_shape.measure,
    "history": small_costs.history,
    "network": small_costs.network,
    "booted": lambda bench, findings: booted.measure(bench.directory, findings),
}


def measure(bench: Bench, chosen: Sequence[str], findings: Findings) -> None:
    """Measure the chosen parts, one after the other."""
    if set(chosen) & set(OF_SMALL):
        small = Small(bench)
        for name in chosen:
            if name in OF_SMALL:
                OF_SMALL[name](small, findings)
    for name in chosen:
        if name in OF_OTHERS:
            OF_OTHERS[name](bench, findings)


def main() -> int:
    """Measure; return the exit code. If parts are named, their results are only shown."""
    parts = [*OF_SMALL, *OF_OTHERS]
    parser = argparse.ArgumentParser("tools/bench", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"measure only this: {', '.join(parts)}")
    chosen = parser.parse_args().part
    if set(chosen) - set(parts):
        parser.error(f"there are only these parts: {', '.join(parts)}")
    # Not in /tmp, which may be in memory.
    directory = Path(tempfile.mkdtemp(prefix="autoupdate-bench-", dir="/var/tmp"))
    directory.chmod(0o755)
    findings = Findings()
    try:
        bench = Bench(directory)
        try:
            measure(bench, chosen or parts, findings)
        finally:
            bench.close()
    finally:
        shutil.rmtree(directory)
    if not chosen:
        write(findings, DOCUMENT, PLOT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
