"""Measures memory, history and network."""

from tools.lib.bench import rivals
from tools.lib.bench.memory import peak
from tools.lib.bench.proxy import FarAway
from tools.lib.bench.report import Findings, duration, mebibytes
from tools.lib.bench.repository import Repository, application
from tools.lib.bench.site import Bench, call
from tools.lib.bench.timing import interleaved, once
from tools.lib.bench.updates import Small, disk_usage

FAR = 0.1
HISTORY = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
with connection:
    for number in range(100_000):
        cursor = connection.execute(
            'INSERT INTO transactions ("trigger", "commit", step, started_at, finished_at, result)'
            " VALUES ('timer', ?, 'probation', '2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z',"
            " 'updated')", [f"{number:040x}"])
        connection.executemany("INSERT INTO steps VALUES (?, ?, '2026', '2026')",
            [(cursor.lastrowid, step) for step in ("fetch", "build", "activate", "probation")])
"""


def memory(small: Small, findings: Findings) -> None:
    """Measure a check, the first check after an update, and an update with new dependencies."""
    command = small.bench.command
    firsts, others = [], []
    for _ in range(3):
        small.change_code()
        small.bench.updates("small")
        firsts.append(peak([command, "run", "small"]))
        others += [peak([command, "run", "small"]) for _ in range(3)]
    for work, looks in (
        ("peak memory of a check", others),
        ("the same, the first one after an update", firsts),
    ):
        together = max(look.together for look in looks)
        largest = max(look.largest for look in looks)
        findings.at_most(
            work, "≤ 20 MB", together, 20e6,
            f"{mebibytes(together)}; largest process {mebibytes(largest)}",
        )  # fmt: skip
    small.change_requirement()
    update = peak([command, "run", "small"])
    findings.at_most(
        "peak memory of an update, without pip and uv", "≤ 120 MB", update.together, 120e6,
        f"{mebibytes(update.together)}; largest process {mebibytes(update.largest)}",
    )  # fmt: skip


def history(bench: Bench, findings: Findings) -> None:
    """Measure status after 100,000 transactions."""
    for name in ("empty", "long"):
        bench.configure(name, bench.server.url("small"), build__requirements=bench.manifests)
        bench.updates(name)
    call("/usr/bin/python3", "-c", HISTORY, bench.app("long").state)
    times = interleaved(
        {
            "empty history": lambda: call(bench.command, "status", "--json", "empty"),
            "100,000 transactions": lambda: call(bench.command, "status", "--json", "long"),
        },
        rounds=10,
    )
    findings.compare("autoupdatectl status", times)
    ratio = times["100,000 transactions"].median / times["empty history"].median
    findings.at_most(
        "`status` after 100,000 transactions", "≤ 1.5 × that of an empty history",
        ratio, 1.5, f"{ratio:.2f} ×",
    )  # fmt: skip


def network(bench: Bench, findings: Findings) -> None:
    """Measure with a distant upstream that has 10,000 other branches."""
    upstream = Repository(bench.server, "refs")
    upstream.commit(application({}, bench.index.url))
    with FarAway(bench.server.port, FAR) as far:
        url = upstream.url.replace(f":{bench.server.port}/", f":{far.port}/")
        bench.configure("refs", url, build__requirements=bench.manifests)
        bench.updates("refs")

        def look() -> tuple[int, int, float]:
            far.forget()
            bench.server.forget()
            taken = once(lambda: bench.finds_nothing("refs"))
            commands = [request.command for request in bench.server.requests]
            if commands.count("ls-refs") != 1 or "fetch" in commands:
                raise AssertionError(f"more than one round of ls-refs: {commands}")
            return far.round_trips, far.bytes_received, taken

        few = look()
        upstream.add_refs(10_000)
        many = look()
        far.forget()
        rivals.ls_remote(url)
        least = far.round_trips
    findings.at_most(
        "nothing new, 10,000 refs upstream", "one round of ls-refs for one ref",
        many[1], few[1] + 100,
        f"one request ls-refs; {many[1]} bytes answered, {few[1]} when there is one ref",
    )  # fmt: skip
    findings.at_most(
        "round trips, nothing new", "as many as `git ls-remote`", many[0], least,
        f"{many[0]} ({least}); {duration(many[2])} when each takes {FAR * 1000:.0f} ms",
    )  # fmt: skip


def new_objects(small: Small, findings: Findings) -> None:
    """Check that an update fetches only new objects."""
    bench = small.bench
    with FarAway(bench.server.port, FAR) as far:
        url = small.upstream.url.replace(f":{bench.server.port}/", f":{far.port}/")
        bench.configure("small", url, build__requirements=bench.manifests)
        small.change_code()
        far.forget()
        taken = once(lambda: bench.updates("small"))
    bench.configure("small", small.upstream.url, build__requirements=bench.manifests)
    everything = disk_usage(small.upstream.bare / "objects")
    share = far.bytes_received / everything
    findings.at_most(
        "network, update", "only the new objects", share, 0.1,
        f"{far.bytes_received} bytes answered, of {mebibytes(everything)} upstream;"
        f" {far.round_trips} round trips, {duration(taken)} when each takes {FAR * 1000:.0f} ms",
    )  # fmt: skip
