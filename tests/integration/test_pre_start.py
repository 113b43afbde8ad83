"""The shell script before a service's start: exits at once, or executes the gate."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoupdate.host import runtime_files
from autoupdate.host.log import fields_of
from autoupdate.model.events import UNMANAGED, Event
from autoupdate.model.paths import AppPaths
from autoupdate.service_start.unmanaged import own_unit, sentence
from tools.lib.hosts.commands import Completed, run

SCRIPT = Path(__file__).parents[2] / "units/pre-start"
HANDED_OVER = "gate demo\n"
NEVER = 9_999_999  # above the kernel's largest process id


class Script:
    """A copy of the script whose run directory and gate are the test's."""

    def __init__(self, directory: Path) -> None:
        text = SCRIPT.read_text()
        for old, new in (
            ("/run/autoupdate/", f"{directory}/"),
            ("environment=/var/lib/autoupdate/$1", f"environment={directory}/home"),
            ("home=/var/lib/autoupdate/$1", f"home={directory}/home"),
            ("logger --journald", f"{directory}/logger"),
            ("/home/*/* | /opt/*", f"{directory}/home/*/*"),
            ("exec /usr/bin/python3 -I /usr/lib/autoupdate/gate", "exec echo gate"),
            ("/usr/bin/python3 -I /usr/lib/autoupdate/gate", f"{directory}/gate"),
        ):
            assert text.count(old) == 1
            text = text.replace(old, new)
        logger = directory / "logger"
        logger.write_text(f"#!/bin/sh\ncat >{directory}/journal\ntest ! -e {directory}/mute\n")
        logger.chmod(0o755)
        self.file = directory / "pre-start"
        self.file.write_text(text)
        self.paths = AppPaths(home=f"{directory}/home", run=f"{directory}/demo")
        os.makedirs(self.paths.run)
        self.python = directory / "python3"
        self.python.symlink_to("/usr/bin/python3")
        self.in_use = Path(self.paths.release("1"), ".venv/bin/python")
        self.in_use.parent.mkdir(parents=True)
        self.in_use.touch()
        os.symlink("releases/1", self.paths.current)
        self.settings = [directory / "app.toml", directory / "app.toml.d"]

    def ask(self, *arguments: str, cwd: Path | None = None) -> Completed:
        """Run the script with the shell that runs it on a host."""
        return run("/bin/sh", self.file, *(arguments or ("demo",)), check=False, cwd=cwd)

    def set_fresh(self, seconds: float) -> None:
        """Let services start without a check for some time."""
        files = [str(file) for file in self.settings]
        runtime_files.set_fresh(self.paths, seconds, str(self.python), files)

    def passes(self) -> bool:
        """Return whether the service may start at once; otherwise the gate must be executed."""
        done = self.ask()
        assert done.returncode == 0, done
        assert done.stdout in ("", HANDED_OVER)
        return done.stdout == ""


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Return the script with an empty run directory."""
    return Script(tmp_path)


@pytest.fixture
def living() -> Iterator[int]:
    """Return the id of a process with a name that is hard to parse."""
    # comm, set by prctl(PR_SET_NAME): the text in brackets in /proc/PID/stat.
    program = "import sys; open('/proc/self/comm', 'w').write(') S 1 (x'); sys.stdin.read()"
    with subprocess.Popen(["/usr/bin/python3", "-c", program], stdin=subprocess.PIPE) as process:
        while Path(f"/proc/{process.pid}/comm").read_text() != ") S 1 (x\n":
            time.sleep(0.01)
        yield process.pid


def test_nothing_known(script: Script) -> None:
    assert not script.passes()
    os.rmdir(script.paths.run)
    assert not script.passes()


def test_no_app(script: Script) -> None:
    done = run("/bin/sh", script.file, check=False)
    assert done.returncode != 0
    assert "usage: pre-start APP" in done.stderr


def test_fresh_and_stale(script: Script) -> None:
    script.set_fresh(60)
    assert script.passes()
    script.set_fresh(-5)
    assert not script.passes()
    runtime_files.set_stale(script.paths)
    assert not script.passes()


def replace_interpreter(script: Script) -> None:
    """Replace the host's interpreter by another one."""
    script.python.unlink()
    script.python.symlink_to("/bin/sh")


@pytest.mark.parametrize(
    "change",
    [
        replace_interpreter,
        lambda script: script.python.unlink(),
        lambda script: script.in_use.unlink(),
        lambda script: script.settings[0].touch(),
        lambda script: script.settings[1].mkdir(),
    ],
    ids=["interpreter", "no interpreter", "release", "settings", "settings' directory"],
)
def test_fresh_no_longer(script: Script, change: Callable[[Script], object]) -> None:
    """Something that the last check relied on changed: script and package must agree on that."""
    script.settings[0].touch()
    os.utime(script.settings[0], (0, 0))
    script.set_fresh(60)
    assert script.passes()
    assert runtime_files.is_fresh(script.paths)
    change(script)
    assert not script.passes()
    assert not runtime_files.is_fresh(script.paths)


def test_marker_of_a_living_process(script: Script, living: int) -> None:
    Path(script.paths.activating).write_text(f"{living} {runtime_files.start_time(str(living))}\n")
    assert script.passes()


def test_marker_that_the_package_writes(script: Script) -> None:
    with runtime_files.activating(script.paths):
        assert script.passes()
    assert not script.passes()


@pytest.mark.parametrize("process", [NEVER, 1, None], ids=["gone", "first", "reused"])
def test_marker_of_a_dead_process(script: Script, process: int | None) -> None:
    """Also when its id now belongs to another process, which started at another time."""
    Path(script.paths.activating).write_text(f"{process or os.getpid()} 1\n")
    assert not script.passes()


def test_marker_of_a_process_that_ended_and_is_not_reaped(script: Script) -> None:
    """A zombie is left when its parent does not reap it; script and package must handle that."""
    ended = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    marker = f"{ended.pid} {runtime_files.start_time(str(ended.pid))}\n"
    Path(script.paths.activating).write_text(marker)
    assert script.passes()
    assert runtime_files.is_activating(script.paths)
    assert ended.stdin
    ended.stdin.close()
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert not script.passes()
    assert not runtime_files.is_activating(script.paths)
    ended.wait()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\n", b" \n", b"x", b"x\n", b"x y z\n", b"-1 -1\n", b"self \n", b"self\n",
        b"../proc/self 1\n", b". .\n", b"$(echo x) `id`\n", b"* *\n", b"\0\0\0\n", b"\xff\xfe\n",
        b"1" * 100_000 + b"\n", b"[ -f x ]\n", b"\\\n",
    ],
)  # fmt: skip
def test_garbage_reaches_the_gate(script: Script, content: bytes) -> None:
    """The gate must decide then; a failing script would keep services down."""
    Path(script.paths.activating).write_bytes(content)
    assert not script.passes()
    Path(script.paths.fresh).write_bytes(content)
    assert not script.passes()
    os.unlink(script.paths.activating)
    assert not script.passes()


def test_directories_in_the_place_of_files(script: Script) -> None:
    os.mkdir(script.paths.activating)
    os.mkdir(script.paths.fresh)
    assert not script.passes()


def test_the_usual_case_is_quick(script: Script) -> None:
    """Only builtins: no interpreter is started before a service that may start at once."""
    script.set_fresh(60)
    best = min(measure(script) for _ in range(5))
    assert best < 0.05


def measure(script: Script) -> float:
    """Return how long the script took."""
    begun = time.perf_counter()
    script.ask()
    return time.perf_counter() - begun


@pytest.fixture
def checkout(script: Script) -> Path:
    """Return a directory in a checkout; nothing was ever deployed."""
    os.unlink(script.paths.current)
    inner = script.file.parent / "home/me/app/src"
    (inner.parent / ".git").mkdir(parents=True)
    inner.mkdir()
    return inner


@pytest.mark.parametrize("app", ["demo", "ipfs-accelerate"])
def test_nothing_was_ever_deployed(script: Script, checkout: Path, app: str) -> None:
    """It says in the journal, or else on standard error, what the module would say."""
    directory = script.file.parent
    place = str(checkout.parent)
    assert script.ask(app, cwd=checkout).stdout == ""
    entry = dict(line.split("=", 1) for line in (directory / "journal").read_text().splitlines())
    assert entry["MESSAGE"] == sentence(app, own_unit() or "the service", place)
    assert entry == dict(
        field.split("=", 1) for field in fields_of(Event(UNMANAGED, entry["MESSAGE"], app))
    )
    (directory / "mute").touch()
    assert script.ask(app, cwd=checkout).stderr == f"{entry['MESSAGE']}\n"
    assert script.ask(app, "--if-python-changed", cwd=checkout).stderr == ""


@pytest.mark.parametrize(
    "change",
    [
        lambda script, _: os.symlink("releases/gone", script.paths.current),
        lambda script, _: Path(script.paths.relocation).touch(),
        lambda _, inner: (inner.parent / ".git").rmdir(),
        lambda _, inner: inner.parent.rename(inner.parents[1] / "my app"),
    ],
    ids=["deployed", "adoption", "no checkout", "name with a space"],
)
def test_all_other_cases_are_for_the_gate(
    script: Script, checkout: Path, change: Callable[[Script, Path], object]
) -> None:
    os.makedirs(script.paths.home, exist_ok=True)
    change(script, checkout)
    inner = checkout if checkout.exists() else checkout.parents[1] / "my app"
    assert script.ask(cwd=inner).stdout == HANDED_OVER


@pytest.mark.parametrize("key", ["version", "version_info"])
def test_condition_asks_only_when_the_interpreter_is_another_one(script: Script, key: str) -> None:
    """Run by ExecCondition=, where exit codes from 1 to 254 would skip the start."""
    gate = script.file.with_name("gate")
    gate.touch(0o755)
    binaries = script.file.with_name("bin")
    binaries.mkdir()
    for version in ("3.11", "3.13"):
        (binaries / f"python{version}").write_text(version)
    script.in_use.unlink()
    script.in_use.symlink_to(binaries / "python3")
    (binaries / "python3").symlink_to("python3.11")
    settings = script.in_use.parents[1] / "pyvenv.cfg"

    def ask(code: int) -> tuple[int, str]:
        gate.write_text(f"#!/bin/sh\necho gate $1\nexit {code}\n")
        done = script.ask("demo", "--if-python-changed")
        return done.returncode, done.stdout

    # Nothing is deployed; the gate itself runs later.
    assert ask(1) == (0, "")
    settings.write_text(f"home = {binaries}\nprompt = x = y\n{key} = 3.11.2\n")
    assert ask(1) == (0, "")
    (binaries / "python3").unlink()
    (binaries / "python3").symlink_to("python3.13")
    assert ask(0) == (0, HANDED_OVER)
    assert ask(1) == (255, HANDED_OVER)
