"""The command behind tools/faults."""

import argparse
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.lib.faults.adoptions import adoptions
from tools.lib.faults.bad import bad_commits
from tools.lib.faults.bad_moments import MOMENTS
from tools.lib.faults.cells import Cell, cells
from tools.lib.faults.kills import HAND, ROLL_BACK, UNIT, UPDATE, Kill, Kills
from tools.lib.faults.moments import moments
from tools.lib.faults.outages import outages
from tools.lib.faults.power import cuts
from tools.lib.faults.report import PAGE, Report
from tools.lib.faults.scene import opened
from tools.lib.hosts import machine
from tools.lib.hosts.package import PROJECT, built_deb
from tools.lib.hosts.tree import RELEASES

LINES = Path("/var/tmp/autoupdate-faults")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    reader = argparse.ArgumentParser(
        prog="tools/faults",
        description="Kills updates and breaks what they need, on booted Debians, and tells what"
        f" came of it. Each result is also written to {LINES} at once.",
    )
    reader.add_argument("--release", choices=RELEASES, help="only on this release of Debian")
    reader.add_argument(
        "--kills", type=int, default=300, metavar="N",
        help="random kills of updates, and as many of roll backs, over all releases (300)",
    )  # fmt: skip
    reader.add_argument(
        "--adoptions", type=int, default=60, metavar="N",
        help="random kills of adoptions, over all releases (60)",
    )  # fmt: skip
    reader.add_argument(
        "--cuts", type=int, default=60, metavar="N",
        help="power cuts in an update, and as many in a roll back, over all releases (60)",
    )  # fmt: skip
    reader.add_argument("--seed", type=int, default=1, help="chooses the random instants (1)")
    reader.add_argument(
        "--only",
        choices=("kill", "adoption", "fault", "power", "bad", "outage", "moment"),
        help="only one part",
    )
    reader.add_argument(
        "--fault", default="", metavar="TEXT",
        help='only cells with this in "fault, step", and moments with this in their name',
    )  # fmt: skip
    reader.add_argument("--write", action="store_true",
                        help=f"write {PAGE.relative_to(PROJECT)}; else print it")  # fmt: skip
    return reader.parse_args(arguments)


def results(
    chosen: argparse.Namespace, release: str, deb: Path, share: Callable[[int], int]
) -> Iterator[Kill | Cell]:
    """Run the chosen parts on one release of Debian."""
    if chosen.only in (None, "kill"):
        with opened(release, deb) as scene:
            kills = Kills(scene, release, chosen.seed)
            yield from kills.at_writes(UPDATE)
            yield from kills.at_random(UPDATE, share(chosen.kills))
        with opened(release, deb) as scene:
            kills = Kills(scene, release, chosen.seed)
            yield from kills.at_writes(ROLL_BACK)
            yield from kills.at_random(ROLL_BACK, share(chosen.kills), (UNIT, HAND))
    if chosen.only in (None, "adoption"):
        yield from adoptions(release, deb, share(chosen.adoptions), chosen.seed)
    if chosen.only in (None, "fault"):
        yield from cells(release, deb, chosen.fault)
    if chosen.only in (None, "power"):
        yield from cuts(release, deb, share(chosen.cuts), chosen.seed)
    if chosen.only in (None, "bad"):
        yield from bad_commits(release, deb)
    if chosen.only in (None, "outage"):
        yield from outages(release, deb, chosen.fault, in_turn=not chosen.release)
    if chosen.only in (None, "moment"):
        yield from moments(release, deb, MOMENTS, chosen.fault)


def main(arguments: list[str]) -> int:
    """Run in a temporary directory, which is removed afterwards in any case."""
    chosen = parse(arguments)
    missing = machine.what_is_missing()
    if missing:
        print(f"tools/faults: {missing}", file=sys.stderr)
        return 2
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="autoupdate-faults-") as scratch:
        tempfile.tempdir = scratch
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            code = go(chosen, " ".join(arguments))
        except KeyboardInterrupt:
            code = 130
    sys.stdout.flush()
    # Threads may still use hosts; the janitor removes those after this process has ended.
    os._exit(code)


def go(chosen: argparse.Namespace, options: str) -> int:
    """Run on all chosen releases in parallel; return 0 if there was no exception."""
    releases = [chosen.release] if chosen.release else list(RELEASES)
    report = Report(LINES / f"{chosen.only or 'all'}.jsonl", options, page=chosen.write)
    deb = built_deb()
    broken: list[str] = []

    def work(release: str) -> None:
        try:
            for result in results(chosen, release, deb, lambda n: -(-n // len(releases))):
                report.add(result)
        except Exception:
            # Reported at once, because the other release may need hours.
            print(f"{release} ended early: {traceback.format_exc()}", file=sys.stderr, flush=True)
            broken.append(release)

    threads = [threading.Thread(target=work, args=[release], daemon=True) for release in releases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    exceptions = report.finish(whole=not broken)
    if not chosen.write:
        print(report.text())
    return 1 if exceptions or broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
