"""exec: a command takes the place of ours, as another user, with its own status and terminal."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PROGRAM = """
import sys
from autoupdate.cli.own_terminal import in_own_terminal
from autoupdate.cli.verbs.exec import environment_of, start
from autoupdate.host.process import find_user, in_own_session
user = find_user("nobody")
how, *command = sys.argv[1:]
begin = lambda: start(command, environment_of("/tmp", user), user, "/tmp")
sys.exit({"plain": lambda run: run(), "session": in_own_session, "terminal": in_own_terminal}[how](begin))
"""  # noqa: E501
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def words(how: str, *command: str) -> list[str]:
    """Return the command line of the program above."""
    return [sys.executable, "-c", PROGRAM, how, *command]


def environment() -> dict[str, str]:
    """Return an environment with something that a command must not get."""
    return {"PYTHONPATH": str(TOP), "SECRET": "x", "TERM": "vt100", "PATH": os.environ["PATH"]}


@pytest.mark.parametrize("how", ["plain", "session"])
def test_streams_user_and_status(how: str) -> None:
    command = 'cat; id -u; id -G; pwd; umask; echo "$HOME $SECRET $TERM" >&2; exit 42'
    done = subprocess.run(
        words(how, "sh", "-c", command), env=environment(), input="typed\n",
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    user = subprocess.check_output(["id", "-u", "nobody"], text=True)
    groups = subprocess.check_output(["id", "-G", "nobody"], text=True)
    assert done.stdout == f"typed\n{user}{groups}/tmp\n0022\n"
    assert done.stderr == "/nonexistent  vt100\n"
    assert done.returncode == 42


@pytest.mark.parametrize("how", ["plain", "session"])
@pytest.mark.parametrize(("command", "code"), [("no-such-command", 127), ("/etc/passwd", 126)])
def test_what_cannot_be_started(how: str, command: str, code: int) -> None:
    done = subprocess.run(
        words(how, command), env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"autoupdatectl: {command}: ")


def test_a_pipe_that_nobody_reads_ends_the_command() -> None:
    done = subprocess.run(
        words("plain", "sh", "-c", "kill -PIPE $$; echo still here"), env=environment(),
        capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (-signal.SIGPIPE, b"")


def test_signals_reach_the_command() -> None:
    command = "trap 'echo told; exit 7' TERM; echo ready; while :; do sleep 0.1; done"
    with subprocess.Popen(
        words("session", "sh", "-c", command), env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "told\n"
        assert process.wait(10) == 7


def test_a_terminal_of_its_own() -> None:
    """What the command types into its terminal does not reach ours."""
    ours, theirs = pty.openpty()
    name = os.ttyname(theirs)
    command = 'tty; test -t 0 -a -t 1 && read word && echo "got $word"; kill -9 $$'
    with subprocess.Popen(
        words("terminal", "sh", "-c", command), env=environment(),
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    ) as process:  # fmt: skip
        os.close(theirs)
        time.sleep(0.5)
        os.write(ours, b"hello\n")
        assert process.wait(20) == 128 + signal.SIGKILL
    shown = os.read(ours, 10_000).decode()
    assert "got hello" in shown
    assert "/dev/pts/" in shown
    assert name not in shown.split()
