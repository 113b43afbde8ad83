"""Runs commands on the machine that the tests run on."""

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# The environment of commands, independent of the shell that runs the tests.
CLEAN_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
    "TERM": "dumb",
}


@dataclass(frozen=True)
class Completed:
    """A command that has ended, with its output."""

    arguments: tuple[str, ...]
    stdout: str
    stderr: str
    returncode: int

    @property
    def ok(self) -> bool:
        """Return whether the exit code was 0."""
        return self.returncode == 0


class CommandFailedError(AssertionError):
    """A command failed or took too long; the message contains all its output."""

    def __init__(self, completed: Completed, how: str) -> None:
        """Keep the result, for callers that expect the failure."""
        self.completed = completed
        super().__init__(
            f"{shlex.join(completed.arguments)}: {how}\n"
            f"--- stdout\n{completed.stdout}\n--- stderr\n{completed.stderr}"
        )


def run(
    *arguments: str | Path,
    check: bool = True,
    timeout: float = 120,
    input: str | bytes = b"",  # noqa: A002 - the name that subprocess uses
    environment: Mapping[str, str] = CLEAN_ENVIRONMENT,
    cwd: Path | None = None,
    shown_as: Sequence[str] = (),
) -> Completed:
    """Run a command to its end; `shown_as` replaces it in messages."""
    words = tuple(str(word) for word in arguments)
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd=cwd,
        umask=0o022,
        start_new_session=True,
    ) as process:
        given = input.encode() if isinstance(input, str) else input
        how = ""
        try:
            out, err = process.communicate(given, timeout=timeout)
        except subprocess.TimeoutExpired:
            how = f"not done after {timeout:g} s"
            kill_group(process.pid)
            out, err = process.communicate()
        except BaseException:
            kill_group(process.pid)
            raise
    completed = Completed(
        tuple(shown_as) or words,
        out.decode(errors="replace"),
        err.decode(errors="replace"),
        process.returncode,
    )
    if how or (check and completed.returncode != 0):
        raise CommandFailedError(completed, how or f"exit code {completed.returncode}")
    return completed


def kill_group(process_id: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Signal a process that was started with `start_new_session`, with all that it started."""
    try:
        os.killpg(process_id, number)
    except ProcessLookupError:
        return
