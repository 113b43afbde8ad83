"""Writes the results as lines of JSON, and the page docs/faults.md from them."""

import datetime
import json
import os
import platform
import re
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tools.lib.faults.adoptions import ADOPTION
from tools.lib.faults.bad import FAULT as BAD_COMMIT
from tools.lib.faults.cells import Cell
from tools.lib.faults.faults import STEPS
from tools.lib.faults.kills import ROLL_BACK, UPDATE, Kill
from tools.lib.faults.moments import FAULT as MOMENT
from tools.lib.faults.moments import Seen
from tools.lib.faults.outages import FAULT as OUTAGE
from tools.lib.faults.power import FAULT as POWER_CUT
from tools.lib.hosts.commands import run
from tools.lib.hosts.package import PROJECT

PAGE = PROJECT / "docs" / "faults.md"

HEAD = """\
# Kills and faults

`tools/faults` wrote this page. Every number and every sentence in the tables is what it observed.
A run of one part replaces only the section of that part. The package runs on booted hosts, each
with its own systemd, Git server, pip and services. After each kill and each fault, the following
must be true. Otherwise it counts as an exception:

- Right after a kill, the services' path leads to one complete release: every file belongs to its
  commit, the version files agree, and its interpreter imports the application. `status --json`,
  run by an unprivileged user, shows the current release and commit, and that a run was
  interrupted.
- A service can be restarted and answers. The next `autoupdatectl run` ends with exit code 0.
  (These two are done in random order.)
- Then the newest good commit is current, all three services run it, and no update is unfinished.
- Nothing is left: no release without a record, no incomplete release that looks complete, no
  environment without a release, no temporary link, no lock or incomplete pack in the mirror, no
  process of the builds' user.

If the next run is deferred for some seconds after a fault, because an update has just failed, the
test waits and runs again, like the timer.
"""

KILLS = """\
## Kills

The column "way" says how the update is started and what is killed. *unit*: `systemctl start
autoupdate@ipfs-accelerate` (for a rollback, `systemd-run`); its whole cgroup is killed. *service
start*: the restart of a service with its gate; the cgroups of the run and of the probation are
killed. *by hand*: `autoupdatectl run` or `rollback` in a shell; its process group is killed.

The column "where" says when. *journal write*: a script starts the command, counts the statements
written to `state.db`, and dies before or after one of them. *random instant*: the package runs
without that script. If the kill came too early or too late to hit a run, it is counted as "not
under way"; the result is checked all the same.
"""

ADOPTIONS = """\
## Adoptions

`autoupdatectl adopt` of a checkout with 5,000 files, local edits, untracked files and running
services is killed, each time on a new host: at a random instant; or, started by the same script
as above, before (Debian 12) or after (Debian 13) each statement written to `state.db`, each move,
and each write of the journal of its moves. The next run, the start of a service, or the next boot
finds what it left. (Before the boot, all processes of the host are killed; the page cache is
kept.) Then either everything is as before, byte for byte, with modes, owners and times, and a
second adoption succeeds; or the app is adopted. In the end, no byte is lost.
"""

FAULTS = """\
## Faults

The run is stopped at the step, the fault is caused, and the run continues. When the run has
ended, the fault is removed.

- "No space", "no inodes", "read-only file system": `/var/lib/autoupdate` is on its own ext4 on a
  loop device. Root fills it up, or the kernel makes it read-only as after an error
  (`remount,abort`). The services' data is there, too, so a service may stop because there is no
  space.
- "Network": the connections to upstream and to the package index are cut.
- "Clock": a wrapper changes the clock for the run only, because hosts share the machine's clock.
- "Memory limit": a limit of a cgroup v1, set from outside; the kernel kills processes.
- "Build's processes killed": SIGKILL to all processes of the builds' user.
- "Host killed": all its processes are killed at once and the host boots again; the page cache is
  kept.
"""

POWER = """\
## Power cuts

`/var/lib/autoupdate` is on an ext4 whose block device records each write and each flush: a loop
device on a file of a FUSE server that belongs to the tool. An update, or an update that is rolled
back, is recorded. For each cut, the tool chooses a random moment and creates the disk as it may
be then: everything before the last flush, and of the writes since then none, a random half, or
all. The host boots with that disk. After a cut in an update, the same must be true as after a
fault. After a cut in a rollback, the good release runs and the bad commit is in quarantine.
"""


BAD = """\
## Bad commits

Each bad commit is deployed by `systemctl start autoupdate@ipfs-accelerate` on its own host, with
the state on a small file system. Services are watched for 4 s and probed. *away* is how long the
HTTP service did not answer from the good release, when asked about every 10 ms. It includes the
restarts and the time for which the bad release was watched. With *rehearsed*, the services of
the new release were tried in a sandbox for 6 s before the switch (`rehearse.services = "auto"`).
"""


OUTAGES = """\
## Outages

A server that an update needs does not work: the package index, the server of a Git dependency, or
upstream. Meanwhile `ipfs-accelerate.service` is restarted. With `start.if_update_fails = "start"`
it must start on the last good release; with `block` it must be up within a minute after the outage,
by its own `Restart=always`. The commit must not be in quarantine, and `status` must name the
server. The time after the outage includes the wait for the next try (15 s) and the whole update, so
a busy machine may need longer than that minute. Each outage is on one of the two Debians, in turn.
"""

MOMENTS = """\
## Bad moments

A run is stopped at a step; then somebody sends a signal to it, types another command, changes the
package or the host, and the run goes on if it can. A signal goes to the process alone. *Exits*: how
the commands ended, as a shell shows it. *Status*: what `status` said right after. *Services run*:
what all three served when nothing was under way any more, and before anything was repaired, except
that a full disk is freed first; for a rollback, *the version before* is the one that is rolled back
to. A service whose unit is gone cannot be restarted, so it keeps the old version until the unit is
back. After that a service is restarted and `autoupdatectl run` is typed, and all of the above must
be true. After a removal or `release-path`, the services must run, and start again.
"""

TITLES = ("Kills", "Adoptions", "Faults", "Power cuts", "Bad commits", "Outages", "Bad moments")
OWN_SECTIONS = (POWER_CUT, BAD_COMMIT, OUTAGE, MOMENT)


def commit() -> str:
    """Return the commit of the checkout, with -dirty if anything except the page has changed."""
    name = run("git", "describe", "--always", "--abbrev=12", cwd=PROJECT).stdout.strip()
    page = f":!{PAGE.relative_to(PROJECT)}"
    changed = run("git", "status", "--porcelain", "--", ".", page, cwd=PROJECT).stdout
    return f"{name}-dirty" if changed else name


class Report:
    """Collects results from several threads, and writes each one immediately."""

    def __init__(self, lines: Path, options: str, *, page: bool) -> None:
        """Start a file of results."""
        self.lines = lines
        self.options = options
        self.page = page
        self.kills: list[Kill] = []
        self.cells: list[Cell] = []
        self.began = datetime.datetime.now(datetime.UTC)
        self.commit = commit()
        self.finished = False
        self._lock = threading.Lock()
        lines.parent.mkdir(parents=True, exist_ok=True)
        lines.write_text("")

    def add(self, result: Kill | Cell) -> None:
        """Print and store one result."""
        with self._lock:
            with self.lines.open("a") as stream:
                stream.write(json.dumps(asdict(result)) + "\n")
            if isinstance(result, Kill):
                self.kills.append(result)
                what = f"{result.verb}, {result.way}, {result.point}"
            else:
                self.cells.append(result)
                what = f"{result.fault}, {result.step}: {result.happened}"
            if isinstance(result, Seen):
                what += f"{result.exits} | {result.status} | {result.serves}"
            said = "exception" if result.wrong else "good"
            print(f"{said:9} {result.release} {result.seconds:5.1f} s  {what}", flush=True)
            for wrong in result.wrong:
                print(f"          {wrong}", flush=True)
            self._write()

    def finish(self, *, whole: bool) -> int:
        """Write the page for the last time; return the number of exceptions."""
        with self._lock:
            self.finished = whole
            self._write()
        seen: list[Kill | Cell] = [*self.kills, *self.cells]
        return sum(bool(result.wrong) for result in seen)

    def _write(self) -> None:
        if self.page:
            part = PAGE.with_suffix(".part")
            part.write_text(self.text(sections(PAGE)))
            part.rename(PAGE)

    def text(self, known: dict[str, str] | None = None) -> str:
        """Return the page: the sections of this run, and the known ones of earlier runs."""
        of = {name: [cell for cell in self.cells if cell.fault == name] for name in OWN_SECTIONS}
        faults = [cell for cell in self.cells if cell.fault not in OWN_SECTIONS]
        found = dict(known or {})
        kills = [kill for kill in self.kills if kill.verb != ADOPTION]
        if kills:
            found["Kills"] = self._section(KILLS, hits(kills), kills, kill_table(kills))
        adopted = [kill for kill in self.kills if kill.verb == ADOPTION]
        if adopted:
            table = kill_table(adopted)
            found["Adoptions"] = self._section(ADOPTIONS, hits(adopted), adopted, table)
        if faults:
            found["Faults"] = self._section(FAULTS, len(faults), faults, *fault_tables(faults))
        if power := of[POWER_CUT]:
            found["Power cuts"] = self._section(POWER, len(power), power, power_table(power))
        if bad := of[BAD_COMMIT]:
            found["Bad commits"] = self._section(BAD, len(bad), bad, bad_table(bad))
        if out := of[OUTAGE]:
            found["Outages"] = self._section(OUTAGES, len(out), out, outage_table(out))
        if seen := [cell for cell in of[MOMENT] if isinstance(cell, Seen)]:
            found["Bad moments"] = self._section(MOMENTS, len(seen), seen, moment_table(seen))
        return "\n".join([HEAD, *(found[title] for title in TITLES if title in found)])

    def _section(self, head: str, count: int, results: Sequence[Kill | Cell], *tables: str) -> str:
        minutes = (datetime.datetime.now(datetime.UTC) - self.began).total_seconds() / 60
        wrong = sum(bool(result.wrong) for result in results)
        facts = (
            f"{self.began:%Y-%m-%d}, commit {self.commit}, `tools/faults"
            f" {self.options}`, {minutes:.0f} minutes, on {machine()}: {count} in all,"
            f" **{wrong} exceptions**" + ("" if self.finished else "; **not finished**") + "."
        )
        return "\n".join([head, facts + "\n", *tables])


def sections(page: Path) -> dict[str, str]:
    """Return the sections of a page by title."""
    if not page.exists():
        return {}
    parts = re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}


def machine() -> str:
    """Return a description of this machine."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    return f"{os.cpu_count()} cores of {model}, {memory} GiB, Linux {platform.release()}, {system}"


def kill_table(kills: list[Kill]) -> str:
    """Return how many kills there were of each kind, and every exception."""
    lines = ["| Debian | what | way | where | kills | not under way | exceptions |",
             "|---|---|---|---|---:|---:|---:|"]  # fmt: skip
    kinds = Counter((kill.release, kill.verb, kill.way, place(kill)) for kill in kills)
    order = [UPDATE, ROLL_BACK, ADOPTION]
    for kind in sorted(kinds, key=lambda kind: (kind[0], order.index(kind[1]), kind[2], kind[3])):
        those = [kill for kill in kills if (kill.release, kill.verb, kill.way, place(kill)) == kind]
        hit = sum(kill.killed for kill in those)
        wrong = sum(bool(kill.wrong) for kill in those)
        lines.append(f"| {' | '.join(kind)} | {hit} | {len(those) - hit} | {wrong} |")
    for kill in kills:
        for wrong_thing in kill.wrong:
            point = f"{kill.release}, {kill.verb}, {kill.way}, {kill.point}"
            lines.append(f"\n**Exception** ({point}): {short(wrong_thing)}")
    return "\n".join(lines) + "\n"


def hits(kills: Sequence[Kill]) -> int:
    """Return how many kills hit a process."""
    return sum(kill.killed for kill in kills)


def place(kill: Kill) -> str:
    """Return the kind of moment at which a kill hit."""
    return "random instant" if "after the order" in kill.point else "journal write"


def fault_tables(cells: list[Cell]) -> list[str]:
    """Return a table of verdicts for each release, and a table of what happened."""
    parts = []
    for release in sorted({cell.release for cell in cells}):
        those = [cell for cell in cells if cell.release == release]
        names = list(dict.fromkeys(cell.fault for cell in those))
        lines = [
            f"### {release}\n",
            f"| fault | {' | '.join(STEPS)} |",
            "|---" * (len(STEPS) + 1) + "|",
        ]
        for name in names:
            verdicts = {cell.step: verdict(cell) for cell in those if cell.fault == name}
            shown = [verdicts.get(step, "–") for step in STEPS]  # noqa: RUF001
            lines.append(f"| {name} | {' | '.join(shown)} |")
        parts.append("\n".join(lines) + "\n")
        words = [
            f"What happened on {release}:\n",
            "| fault | step | what happened |",
            "|---|---|---|",
        ]
        words += [f"| {c.fault} | {c.step} | {short(said(c))} |" for c in those]
        parts.append("\n".join(words) + "\n")
    return parts


def power_table(cells: list[Cell]) -> str:
    """Return how many power cuts there were, and every exception."""
    lines = ["| Debian | during | cuts | exceptions |", "|---|---|---:|---:|"]
    for kind in sorted({(cell.release, cell.step) for cell in cells}):
        those = [cell for cell in cells if (cell.release, cell.step) == kind]
        wrong = sum(bool(cell.wrong) for cell in those)
        lines.append(f"| {' | '.join(kind)} | {len(those)} | {wrong} |")
    for cell in cells:
        for wrong_thing in cell.wrong:
            point = f"{cell.release}, {cell.step}, {cell.happened}"
            lines.append(f"\n**Exception** ({point}): {short(wrong_thing)}")
    return "\n".join(lines) + "\n"


def bad_table(cells: list[Cell]) -> str:
    """Return a table of the results of bad commits."""
    lines = ["| Debian | what is wrong | step | away | reason in quarantine | verdict |",
             "|---|---|---|---:|---|---|"]  # fmt: skip
    for cell in cells:
        step, away, reason = (*cell.happened.split("; ", 2), "", "", "")[:3]
        shown = short(reason)
        lines.append(
            f"| {cell.release} | {cell.step} | {step} | {away} | {shown} | {verdict(cell)} |"
        )
    for cell in cells:
        lines += [f"\n**Exception** ({cell.step}): {short(wrong)}" for wrong in cell.wrong]
    return "\n".join(lines) + "\n"


def outage_table(cells: list[Cell]) -> str:
    """Return a table of the results of outages."""
    lines = ["| Debian | outage | afterwards | reason in `status` | verdict |",
             "|---|---|---|---|---|"]  # fmt: skip
    for cell in cells:
        afterwards, _, reason = cell.happened.partition("; ")
        words = (cell.release, cell.step, afterwards, short(reason), verdict(cell))
        lines.append(f"| {' | '.join(words)} |")
    for cell in cells:
        lines += [f"\n**Exception** ({cell.step}): {short(wrong)}" for wrong in cell.wrong]
    return "\n".join(lines) + "\n"


def moment_table(seen: list[Seen]) -> str:
    """Return a table of the bad moments."""
    lines = ["| Debian | moment | exits | status | services run | verdict |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for one in seen:
        words = (one.release, one.step, one.exits, one.status, one.serves, verdict(one))
        lines.append(f"| {' | '.join(map(short, words))} |")
    for one in seen:
        lines += [f"\n**Exception** ({one.release}, {one.step}): {short(it)}" for it in one.wrong]
    return "\n".join(lines) + "\n"


def verdict(cell: Cell) -> str:
    """Return the result of a cell in one word."""
    return "**exception**" if cell.wrong else "good"


def said(cell: Cell) -> str:
    """Return what happened in a cell, with its exceptions."""
    faults = "".join(f" **Exception:** {wrong}" for wrong in cell.wrong)
    return f"{cell.happened}{faults}"


def short(text: str) -> str:
    """Return a text that fits into one cell of a table."""
    flat = " ".join(text.split()).replace("|", "\\|")
    return flat if len(flat) <= 900 else f"{flat[:900]}…"
