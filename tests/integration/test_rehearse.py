"""A release is tested with its own interpreter before the switch to it."""

import os
from pathlib import Path

import pytest

from autoupdate.model.errors import UpdateFailedError
from autoupdate.model.steps import Result, Step
from autoupdate.records.records import Records
from autoupdate.worker.commands import try_out
from autoupdate.worker.environment.rehearsal import rehearse
from tests.integration.site import Site
from tools.lib.hosts.commands import run

# A unique argument, by which the processes are found.
SLEEP = str(100_000 + os.getpid())
MODULES = {
    "rehearsed_good": "def main(): pass",
    "rehearsed_bad": "print('noise')\nimport missing_package_xyz",
    "rehearsed_exit": "import sys\nsys.exit('not today')",
    "rehearsed_threads": "import threading, time\nthreading.Thread(target=time.sleep, args=[6789])"
    ".start()",
}


class Distribution:
    """An app that is installed in the environment of a release, and its console scripts."""

    def __init__(self, release: Path) -> None:
        self.release = release
        self.site = next((release / ".venv/lib").glob("python3*/site-packages"))
        for name, text in MODULES.items():
            (self.site / f"{name}.py").write_text(text)
        self.install("other", "Requires-Dist: missing-package-xyz>=2\n", origin="/elsewhere")

    def install(self, name: str, metadata: str, scripts: str = "", origin: str = "") -> None:
        """Write the files that pip installs for a package."""
        place = self.site / f"{name}-1.dist-info"
        place.mkdir(exist_ok=True)
        (place / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{metadata}"
        )
        (place / "entry_points.txt").write_text(f"[console_scripts]\n{scripts}\n")
        url = f'{{"url": "file://{origin or self.release}", "dir_info": {{"editable": true}}}}'
        (place / "direct_url.json").write_text(url)

    def scripts(self, *lines: str) -> None:
        """Set the console scripts of the app."""
        self.install("rehearsed", "Provides-Extra: more\n", "\n".join(lines))


@pytest.fixture
def releases(deployed: Site) -> tuple[Distribution, Distribution]:
    """Return the deployed release and another one, each with an environment."""
    other = deployed.release.parent / "other"
    run("/usr/bin/python3", "-m", "venv", "--without-pip", other / ".venv")
    return Distribution(deployed.release), Distribution(other)


def smoke(
    release: Distribution,
    previous: Distribution | None = None,
    *,
    same_packages: bool = False,
    ignored: tuple[str, ...] = (),
    started: tuple[str, ...] = (),
) -> list[str]:
    """Run the smoke test alone."""
    former = str(previous.release) if previous else ""
    return rehearse(
        str(release.release), former, [], try_out, smoke=True, same_packages=same_packages,
        ignored=ignored, started=started,
    )  # fmt: skip


def test_console_scripts(releases: tuple[Distribution, Distribution]) -> None:
    old, new = releases
    new.scripts("good = rehearsed_good:main", "threads = rehearsed_threads:threading",
                "more = rehearsed_bad:main [more]")  # fmt: skip
    assert smoke(new) == []

    old.scripts(*(f"{name} = rehearsed_good:main" for name in ("good", "bad", "leaves", "nothing")))
    new.scripts("good = rehearsed_good:main", "bad = rehearsed_bad:main")
    with pytest.raises(
        UpdateFailedError, match="script bad cannot be imported: ModuleNotFound"
    ) as e:
        smoke(new, old)
    assert e.value.advice.endswith('add "bad" to rehearse.smoke_ignore')
    assert smoke(new, old, ignored=("bad",)) == []
    new.scripts("leaves = rehearsed_exit:main")
    with pytest.raises(UpdateFailedError, match="script leaves cannot be imported: SystemExit"):
        smoke(new, old)
    new.scripts("nothing = rehearsed_good:absent")
    with pytest.raises(UpdateFailedError, match="nothing cannot be imported: AttributeError"):
        smoke(new, old)


def test_scripts_that_nothing_here_depends_on(releases: tuple[Distribution, Distribution]) -> None:
    """On a first deployment, and for new scripts: what counts is what the services start."""
    old, new = releases
    new.scripts("good = rehearsed_good:main", "bad = rehearsed_bad:main")
    old.scripts("good = rehearsed_good:main")
    for former in (None, old):
        (warning, *_) = smoke(new, former, started=("good", "hypercorn"))
        assert warning.startswith("console script bad cannot be imported: ModuleNotFound")
        with pytest.raises(
            UpdateFailedError, match="script bad, which a service starts, cannot be imported"
        ):
            smoke(new, former, started=("bad",))
        assert smoke(new, former, started=("bad",), ignored=("bad",)) == smoke(new, former)[1:]
    # The deployed release is the control: the commit is not to blame for this one.
    old.scripts("bad = rehearsed_bad:main")
    assert smoke(new, old, started=("bad",))[0].startswith("console script bad cannot")


def test_what_would_stop_every_update_is_a_warning(
    releases: tuple[Distribution, Distribution],
) -> None:
    """Scripts that are broken in the deployed release, too, and unmet requirements."""
    new, old = releases
    for release in (old, new):
        release.scripts("bad = rehearsed_bad:main")
    warnings = smoke(new, old)
    assert "console script bad cannot be imported" in warnings[0]
    assert warnings[1] == "other needs missing-package-xyz>=2, which is not installed"
    assert len(warnings) == 2


def test_packages_of_the_previous_release_are_not_checked_again(
    releases: tuple[Distribution, Distribution],
) -> None:
    """The requirements of the app itself are checked, as they may have changed."""
    release, old = releases
    release.install("rehearsed", "Requires-Dist: other>=2\n")
    assert smoke(release, old, same_packages=True) == [
        "rehearsed needs other>=2, but 1 is installed"
    ]


def test_smoke_test_without_a_report(releases: tuple[Distribution, Distribution]) -> None:
    """The app's code can break its own test; that does not count as success."""
    _, new = releases
    (new.site / "spoil.pth").write_text("import os; os._exit(0)\n")
    with pytest.raises(UpdateFailedError, match="its smoke test failed with status 0"):
        smoke(new)


def quarantined(site: Site) -> list[tuple[str, str]]:
    """Return the commits in quarantine, each with the step in which it failed."""
    records = Records(site.app_paths.state, read_only=True)
    try:
        return [(item.commit, item.step) for item in records.quarantined()]
    finally:
        records.close()


def test_commands_of_the_administrator(deployed: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a clean environment; the first failure ends the test, and no process is left."""
    look = (
        "import os, ipfs_accelerate_py.version as v; print('looked at', v.VERSION, os.getcwd());"
        "print('saw', dict(os.environ));"
        f"os.fork() or (os.setsid(), os.execlp('sleep', 'sleep', '{SLEEP}'))"
    )
    commands = [["{python}", "-c", look], ["{python}", "{release}/try.py"], ["echo", "the last"]]
    deployed.configure(rehearse__commands=commands, rehearse__timeout="60s")
    monkeypatch.setenv("CANARY", "secret")
    bad = "import sys; print('what is wrong'); sys.exit(3)\n"
    commit = deployed.upstream.commit(version=2, files={"try.py": bad})
    outcome = deployed.run()
    assert outcome.result is Result.FAILED
    assert "failed in step rehearse: " in outcome.reason
    assert "try.py failed with status 3: what is wrong" in outcome.reason
    assert quarantined(deployed) == [(commit, Step.REHEARSE)]
    assert (deployed.version(), deployed.releases()) == (1, [deployed.current])
    assert any(line.startswith("looked at 2 ") for line in deployed.output)
    seen = next(line for line in deployed.output if line.startswith("saw "))
    assert "CANARY" not in seen
    assert "GIT_" not in seen
    assert "the last" not in deployed.output
    assert not sleepers()

    commit = deployed.upstream.commit(version=3, files={"try.py": ""})
    assert deployed.updates_to(commit)
    assert "the last" in deployed.output
    assert not sleepers()


def sleepers() -> list[str]:
    """Return the processes that a command of a rehearsal left."""
    found = []
    for process in filter(str.isdecimal, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{process}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if command == f"sleep\0{SLEEP}\0".encode():
            found.append(process)
    return found
