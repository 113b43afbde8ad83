"""Compares runs of autoupdatectl with other programs, with upstreams on this machine."""

import json
from collections.abc import Mapping
from pathlib import Path

from tools.lib.bench import rivals
from tools.lib.bench.report import Findings, duration, mebibytes
from tools.lib.bench.repository import Repository, application
from tools.lib.bench.site import Bench, call
from tools.lib.bench.timing import interleaved, once
from tools.lib.bench.wheels import FAMILY, make_wheel
from tools.lib.hosts.commands import run

REQUIREMENTS = {f"{FAMILY}-{name}": "1.0" for name in
                ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")}  # fmt: skip
OURS = "autoupdatectl run"


class Small:
    """A small application with eight requirements, deployed by each program."""

    def __init__(self, bench: Bench) -> None:
        """Create its upstream; deploy it with autoupdatectl and the old procedure."""
        self.bench = bench
        for name in REQUIREMENTS:
            make_wheel(bench.wheels, name.removeprefix(f"{FAMILY}-"), "1.0", modules=60)
        self.requirements = dict(REQUIREMENTS)
        self.upstream = Repository(bench.server, "small")
        self.upstream.commit(application(self.requirements, bench.index.url))
        bench.configure("small", self.upstream.url, build__requirements=bench.manifests)
        bench.updates("small")
        self.old = rivals.OldProcedure(bench.directory / "old", self.upstream.url, bench.index.url)
        self.git = rivals.PlainGit(bench.directory / "plain-git", self.upstream.url)
        plain = rivals.PlainGit(bench.directory / "plain-uv", self.upstream.url)
        self.uv = rivals.PlainUv(bench.uv, plain, bench.directory / "uv-cache")
        self.uv.update()

    def change_code(self) -> None:
        """Publish a commit that changes only code."""
        number = self.upstream.commits + 1
        self.upstream.commit({"bench_app/version.py": f"VERSION = {number}\n".encode()})

    def change_requirement(self) -> None:
        """Publish a commit that needs another version of one requirement."""
        version = f"1.{self.upstream.commits}"
        make_wheel(self.bench.wheels, "alpha", version, modules=60)
        self.requirements[f"{FAMILY}-alpha"] = version
        lines = (f"{name}=={version}\n" for name, version in self.requirements.items())
        self.upstream.commit({"requirements.txt": "".join(lines).encode()})


def nothing_new(small: Small, findings: Findings) -> None:
    """Measure a run that finds nothing new."""
    bench, url = small.bench, small.upstream.url
    times = interleaved(
        {
            "git ls-remote": lambda: rivals.ls_remote(url),
            "Python that spawns git ls-remote": lambda: rivals.python_that_spawns(url),
            "GitPython": lambda: rivals.gitpython(url),
            OURS: lambda: call(bench.command, "run", "small"),
            "old procedure": small.old.update,
        },
        rounds=25,
        rare={"old procedure": 3, "GitPython": 5},
    )
    findings.compare("nothing new", times)
    ours = times[OURS].median
    ratio = ours / times["Python that spawns git ls-remote"].median
    findings.at_most(
        "`autoupdatectl run`, nothing new", "≤ 1.3 × Python that spawns `git ls-remote`",
        ratio, 1.3, f"{ratio:.2f} × ({duration(ours)})",
    )  # fmt: skip
    gain = times["old procedure"].median / ours
    findings.at_least("the same", "≥ 40 × faster than the old procedure", gain, 40, f"{gain:.0f} ×")


def code_only(small: Small, findings: Findings) -> None:
    """Measure a new commit with the same dependencies."""
    bench = small.bench
    before = contents(bench, "small")
    asked: list[str] = []

    def update() -> None:
        bench.index.requests.clear()
        bench.updates("small")
        asked.extend(bench.index.requests)

    times = interleaved(
        {
            "git: ls-remote, fetch, worktree add, link": small.git.update,
            OURS: update,
            "old procedure": small.old.update,
        },
        rounds=10,
        prepare=small.change_code,
        rare={"old procedure": 3},
    )
    findings.compare("code changed", times)
    ours = times[OURS].median
    ratio = ours / times["git: ls-remote, fetch, worktree add, link"].median
    findings.at_most(
        "code-only update, small application", "≤ 3 × plain Git", ratio, 3,
        f"{ratio:.2f} × ({duration(ours)})",
    )  # fmt: skip
    gain = times["old procedure"].median / ours
    findings.at_least("the same", "≥ 15 × faster than the old procedure", gain, 15, f"{gain:.1f} ×")
    new = contents(bench, "small") - before
    findings.at_most(
        "same dependencies, new commits", "no package is downloaded or unpacked",
        len(new) + len(asked), 0,
        f"{len(asked)} requests to the index, {len(new)} new files of dependencies",
    )  # fmt: skip


def contents(bench: Bench, app: str) -> set[str]:
    """Return all files of the dependencies of an app."""
    places = (bench.app(app).environments,)
    return {str(path) for place in places for path in Path(place).rglob("*") if path.is_file()}


def requirement_changed(small: Small, findings: Findings) -> None:
    """Measure a new version of one of the eight requirements, with bytecode on both sides."""
    times = interleaved(
        {
            "plain Git and uv": small.uv.update,
            OURS: lambda: small.bench.updates("small"),
        },
        rounds=5,
        prepare=small.change_requirement,
    )
    findings.compare("one requirement changed", times)
    ratio = times[OURS].median / times["plain Git and uv"].median
    findings.at_most(
        "one requirement of eight changed", "≤ 1.3 × plain Git and uv, with bytecode",
        ratio, 1.3, f"{ratio:.2f} × ({duration(times[OURS].median)})",
    )  # fmt: skip


def big_tree(bench: Bench, findings: Findings) -> None:
    """Measure a commit that changes ten of 14,000 files."""
    upstream = Repository(bench.server, "big")
    files = {
        f"data/{number // 100:03d}/{number:05d}.txt": f"{number}\n".encode() * 500
        for number in range(14_000)
    }  # fmt: skip
    upstream.commit({**files, **application({}, bench.index.url)})
    bench.configure("big", upstream.url, build__requirements=bench.manifests)
    bench.updates("big")
    git = rivals.PlainGit(bench.directory / "plain-big", upstream.url)
    taken = []

    def change() -> None:
        changed = f"commit {upstream.commits}\n".encode()
        upstream.commit(dict.fromkeys(list(files)[:1000:100], changed))

    def update() -> None:
        before = disk_usage(Path(bench.app("big").home))
        seconds.append(once(lambda: bench.updates("big")))
        taken.append(disk_usage(Path(bench.app("big").home)) - before)

    # So few that no release is removed, which would change the disk usage.
    seconds: list[float] = []
    times = interleaved({"git": git.update, OURS: update}, rounds=2, prepare=change)
    ours = sorted(seconds)[len(seconds) // 2]
    findings.compare("14,000 files, 10 changed", times)
    size = disk_usage(Path(bench.app("big").release(current(bench, "big"))))
    findings.at_most("new release of 14,000 files, 10 changed", "≤ 3 s", ours, 3, duration(ours))
    share = max(taken) / size
    findings.at_most(
        "the same", "≤ 5 % of the tree's size on disk", share, 0.05,
        f"{share:.1%} ({mebibytes(max(taken))} of {mebibytes(size)})",
    )  # fmt: skip


def big_environment(bench: Bench, findings: Findings) -> None:
    """Measure 2 GB of dependencies that do not change."""
    names = [f"heavy-{number}" for number in range(8)]
    for name in names:
        make_wheel(bench.wheels, name.replace("-", "_"), "1.0", modules=300, mebibytes=250)
    requirements = {f"{FAMILY}-{name}": "1.0" for name in names}
    upstream = Repository(bench.server, "heavy")
    upstream.commit(application(requirements, bench.index.url))
    bench.configure("heavy", upstream.url, build__requirements=bench.manifests)
    bench.updates("heavy")
    seconds, taken = [], []
    for number in range(2):
        upstream.commit({"bench_app/version.py": f"VERSION = 1.{number}\n".encode()})
        before = disk_usage(Path(bench.app("heavy").home))
        seconds.append(once(lambda: bench.updates("heavy")))
        taken.append(disk_usage(Path(bench.app("heavy").home)) - before)
    findings.at_most(
        "environment of 2 GB, unchanged", "≤ 1 s", max(seconds), 1, duration(max(seconds))
    )
    findings.at_most("the same", "≤ 50 MB more on disk", max(taken), 50e6, mebibytes(max(taken)))


def disk_usage(directory: Path) -> int:
    """Return the bytes that a directory uses on disk; hard links count once (du(1))."""
    return int(run("du", "--summarize", "--block-size=1", directory).stdout.split()[0])


def current(bench: Bench, app: str) -> str:
    """Return the current release of an app."""
    facts: Mapping[str, Mapping[str, str]] = json.loads(bench.ctl("status", "--json", app).stdout)
    return facts["current"]["release"]
