"""From a URL to a running application, and from one version to the next."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autoupdate.config import load
from autoupdate.host.links import switch
from autoupdate.model.commits import short
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from autoupdate.records.records import Records
from tests.integration.site import APP, Site
from tools.lib.hosts.broken import Broken
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, run

ODD_BRANCH = "feature/ü+'$;&|<>()!#%,=`x\"{y}@z"
PROBER = """
import os, sys, time
path, stop = sys.argv[1:]
seen, reads = set(), 0
while not os.path.exists(stop):
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    texts = []
    for name in ("VERSION", "late/VERSION"):
        file = os.open(name, os.O_RDONLY, dir_fd=directory)
        texts.append(os.read(file, 100000))
        os.close(file)
    os.close(directory)
    text = open(path + "/VERSION", "rb").read()
    assert texts[0] == texts[1] and len(set(text.split())) == 1 and len(text) == 20000, texts
    seen.add(text.split()[0])
    reads += 1
    if reads == 1:
        print("ready", flush=True)
    time.sleep(0.001)
print(len(seen), reads)
"""


def test_first_deployment(deployed: Site) -> None:
    commit = deployed.upstream.published()
    assert os.readlink(deployed.path) == deployed.app_paths.current
    assert deployed.version() == 1
    assert run("git", "-C", deployed.release, "rev-parse", "HEAD").stdout.strip() == commit
    python = deployed.path / ".venv/bin/python3"
    imports = "import blinker, itsdangerous, ipfs_accelerate_py as p; print(p.__file__)"
    assert run(python, "-c", imports, cwd=deployed.directory).stdout.startswith(
        str(deployed.release)
    )
    # Compiled before the switch, so that services do not have to do it.
    assert list((deployed.release / "ipfs_accelerate_py/__pycache__").glob("version.*.pyc"))
    records = Records(deployed.app_paths.state, read_only=True)
    known = records.release(deployed.current)
    assert known is not None
    assert known.commit == commit
    assert known.interpreter.startswith(os.path.realpath("/usr/bin/python3") + " 3.") or (
        "Python 3." in known.interpreter
    )
    records.close()


def test_shared_paths_are_seeded_and_linked(deployed: Site) -> None:
    for name in ("state", "logs"):
        link = deployed.release / name
        assert link.resolve() == Path(deployed.app_paths.shared, name)
        assert not os.path.isabs(os.readlink(link))
    assert (deployed.path / "state/starts").read_text() == "0\n"


def test_nothing_new_costs_one_exchange(deployed: Site) -> None:
    deployed.foretells = False
    before = os.lstat(deployed.app_paths.current).st_ino
    outcome = deployed.run()
    assert (outcome.result, outcome.exit_code) == (Result.CURRENT, Exit.DONE)
    assert len(deployed.server.checks()) == 1
    assert len(deployed.server.requests) == 2, "the greeting, and ls-refs"
    assert deployed.server.fetches() == []
    assert os.lstat(deployed.app_paths.current).st_ino == before
    assert deployed.output == []


def test_nothing_new_loads_little(deployed: Site) -> None:
    program = (
        "import sys\n"
        "from autoupdate.update.run import one_run\n"
        "from autoupdate.assemble import assemble\n"
        "from autoupdate.model.paths import Paths\n"
        f"app = assemble(Paths({str(deployed.root)!r}), {APP!r}, identity=None)\n"
        "print(one_run(app, wait=True).result)\n"
        "print(*sys.modules)\n"
    )
    library = str(Path(load.__file__).parents[1])
    environment = {**CLEAN_ENVIRONMENT, "PYTHONPATH": library}
    answer = run("/usr/bin/python3", "-c", program, environment=environment).stdout
    result, modules = answer.splitlines()
    assert result == "current"
    loaded = set(modules.split())
    assert "autoupdate.update.update" in loaded
    assert not loaded & {
        "git", "dataclasses", "inspect", "tempfile", "systemd.journal", "argparse", "difflib",
        "asyncio", "logging", "autoupdate.worker.environment.environment",
        "autoupdate.worker.repository.mirror", "autoupdate.worker.server",
    }  # fmt: skip


def test_update_reuses_the_environment_and_downloads_nothing(deployed: Site) -> None:
    old = deployed.release
    commit = deployed.upstream.commit(version=2)
    deployed.server.forget()
    outcome = deployed.run()
    assert (outcome.result, outcome.commit) == (Result.UPDATED, commit)
    assert deployed.version() == 2
    assert deployed.releases() == sorted([old.name, deployed.current])
    assert len(deployed.server.fetches()) == 1
    assert len(os.listdir(deployed.app_paths.environments)) == 1
    pip = "\n".join(deployed.output)
    for word in ("Collecting", "Downloading", "Using cached"):
        assert word not in pip
    assert deployed.log.messages("updated") == [f"Successfully updated to commit: {commit}"]
    dependency = next(old.glob(".venv/lib/*/site-packages/itsdangerous/__init__.py"))
    assert os.path.samefile(dependency, deployed.release / dependency.relative_to(old))


def test_new_dependency(deployed: Site) -> None:
    deployed.upstream.commit(version=2, requirements=("itsdangerous==2.2.0", "iniconfig==2.0.0"))
    assert deployed.run().result is Result.UPDATED
    assert len(os.listdir(deployed.app_paths.environments)) == 2
    python = deployed.path / ".venv/bin/python3"
    run(python, "-c", "import iniconfig, itsdangerous")
    # The previous release still has its own.
    old = Path(deployed.app_paths.previous, ".venv/bin/python3")
    assert not run(old, "-c", "import iniconfig", check=False).ok
    run(old, "-c", "import blinker")


def test_old_process_still_imports_old_code(deployed: Site) -> None:
    program = (
        "import ipfs_accelerate_py.version as v, sys; print(v.VERSION, flush=True);"
        "sys.stdin.readline(); import ipfs_accelerate_py.late as l; print(l.LATE_VERSION)"
    )
    with subprocess.Popen(
        [f"{deployed.path}/.venv/bin/python3", "-c", program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=deployed.path, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        deployed.upstream.commit(version=2)
        assert deployed.run().result is Result.UPDATED
        assert deployed.version() == 2
        process.stdin.write("\n")
        process.stdin.close()
        assert process.stdout.read() == "1\n"


def test_requirement_that_does_not_exist(deployed: Site) -> None:
    before = deployed.current
    commit = deployed.upstream.commit(version=2, broken=Broken.REQUIREMENT)
    outcome = deployed.run()
    assert (outcome.result, outcome.exit_code) == (Result.FAILED, Exit.FAILED)
    assert "iniconfig==99.99" in outcome.reason
    assert f"to commit {short(commit)} failed in step build" in outcome.reason
    assert "\n" not in outcome.reason
    assert (deployed.current, deployed.releases()) == (before, [before])
    assert deployed.version() == 1
    assert deployed.git("worktree", "list", "--porcelain").count("worktree ") == 2
    assert deployed.run().result is Result.DEFERRED
    deployed.upstream.commit(version=3)
    assert deployed.run().result is Result.UPDATED


@pytest.mark.parametrize("broken", [Broken.BUILD_FAILS, Broken.BUILD_HANGS])
def test_build_that_misbehaves(deployed: Site, broken: Broken) -> None:
    before = deployed.current
    deployed.configure(build__timeout="8s")
    deployed.upstream.commit(version=2, broken=broken)
    outcome = deployed.run()
    assert outcome.result is Result.FAILED
    assert (deployed.current, deployed.releases()) == (before, [before])
    assert deployed.version() == 1
    left = run("pgrep", "--full", "--list-full", str(deployed.root), check=False).stdout
    assert left == "", "the build left a process running"


def test_retention(deployed: Site) -> None:
    deployed.configure(keep=2)
    for version in (2, 3):
        deployed.upstream.commit(version=version)
        assert deployed.run().result is Result.UPDATED
    assert len(deployed.releases()) == 2
    assert deployed.version() == 3
    # The mirror has no record of the removed work tree, either.
    listed = deployed.git("worktree", "list", "--porcelain")
    assert listed.count(f"worktree {deployed.app_paths.releases}/") == 2


def test_commit_that_is_tracked(deployed: Site) -> None:
    second = deployed.upstream.commit(version=2)
    deployed.upstream.commit(version=3)
    deployed.configure(upstream__track=f"commit:{second}")
    assert deployed.updates_to(second)
    assert deployed.version() == 2
    deployed.server.forget()
    assert deployed.run().result is Result.CURRENT
    assert deployed.server.requests == [], "a commit is known by its name"


def test_branch_with_an_unusual_name(deployed: Site) -> None:
    deployed.upstream.branch = ODD_BRANCH
    commit = deployed.upstream.commit(version=2)
    deployed.configure(upstream__track=f"branch:{ODD_BRANCH}")
    assert deployed.updates_to(commit)
    assert deployed.version() == 2


def test_tags_of_the_same_name_are_not_the_branch(deployed: Site) -> None:
    first = deployed.upstream.published()
    second = deployed.upstream.commit(version=2)
    deployed.upstream.tag("main", first)
    assert deployed.updates_to(second)


def test_rewritten_history_that_is_allowed_is_taken_as_a_new_commit(deployed: Site) -> None:
    deployed.configure(upstream__allow_rewrite=True)
    first = deployed.upstream.published()
    deployed.upstream.commit(version=2)
    assert deployed.run().result is Result.UPDATED
    deployed.upstream.rewind(first)
    other = deployed.upstream.commit(version=3)
    deployed.upstream.push("--force")
    assert deployed.updates_to(other)
    assert deployed.version() == 3


def test_file_url(deployed: Site) -> None:
    commit = deployed.upstream.commit(version=2)
    deployed.configure(upstream__url=f"file://{deployed.upstream.bare}")
    assert deployed.updates_to(commit)


def test_app_that_is_not_a_package(deployed: Site) -> None:
    deployed.upstream.commit(
        version=2, requirements=(), files={"setup.py": None, "pyproject.toml": None}
    )
    assert deployed.run().result is Result.UPDATED
    assert run(deployed.path / ".venv/bin/python3", "-c", "print(7)").stdout == "7\n"


def test_prober_never_sees_a_gap_or_a_mixture(tmp_path: Path) -> None:
    """Fifty switches while a process reads through the services' path once per millisecond."""
    from autoupdate.model.paths import Paths

    paths = Paths(str(tmp_path)).app(APP)
    for release in ("r1", "r2"):
        directory = Path(paths.release(release))
        (directory / "late").mkdir(parents=True)
        for name in ("VERSION", "late/VERSION"):
            (directory / name).write_text(f"{release} \n" * 5000)
    path, stop = tmp_path / "app", tmp_path / "stop"
    path.symlink_to(paths.current)
    switch(paths, "r1", "")
    with subprocess.Popen(
        [sys.executable, "-c", PROBER, path, stop],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as prober:  # fmt: skip
        assert prober.stdout is not None
        assert prober.stdout.readline() == "ready\n"
        for number in range(50):
            new, old = ("r2", "r1") if number % 2 == 0 else ("r1", "r2")
            switch(paths, new, old)
            time.sleep(0.01)
        stop.touch()
        out, errors = prober.communicate(timeout=10)
    assert errors == ""
    seen, reads = map(int, out.split())
    assert seen == 2
    assert reads > 50
