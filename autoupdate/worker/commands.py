"""Runs the commands of a build and of a rehearsal, each with limits on where it may write.

Part of the worker. The output of a command is sent to the run line by line, as the worker's answers
are.
"""

import json
import os
import selectors
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from types import MappingProxyType
from typing import Any

from autoupdate.host.limits import LEAST_SPACE, free_space, limited
from autoupdate.host.process import LOOK_EVERY, SEARCH_PATH, base_environment, start
from autoupdate.worker.confinement import prepared
from autoupdate.worker.orphans import end_descendants
from autoupdate.worker.packages.trouble import hidden_words

# All output of a command is passed on, but only its last lines are kept. Longer lines are split.
MOST_LINES, LONGEST_LINE = 5000, 16_384
SSH_COMMAND = "GIT_SSH_COMMAND"
NOTHING: Mapping[str, str] = MappingProxyType({})


def command(words: Sequence[str], directory: str, additions: dict[str, str]) -> tuple[int, str]:
    """Run a program of the host; pass its output on, and return its exit status and output."""
    return pass_on(words, directory, {**os.environ, **additions})


class Build:
    """Runs the commands of one build. `places` returns where they may write at that moment.

    `access` are the variables by which installers find the lent credentials.
    """

    def __init__(
        self, places: Callable[[], Sequence[str]], access: Mapping[str, str] = NOTHING
    ) -> None:
        self.places = places
        self._scratch = scratch_directory()
        self._access = dict(access)
        if ssh := access.get(SSH_COMMAND):
            # pip --no-input replaces the variable by one that starts any ssh.
            self._access["PATH"] = f"{self._scratch.name}/bin:{os.environ['PATH']}"
            os.mkdir(f"{self._scratch.name}/bin")
            with open(f"{self._scratch.name}/bin/ssh", "w", encoding="utf-8") as script:
                script.write(f'#!/bin/sh\nPATH={SEARCH_PATH}\nexec {ssh} "$@"\n')
                os.fchmod(script.fileno(), 0o700)

    def __enter__(self) -> "Build":
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the scratch directory."""
        self._scratch.cleanup()

    def command(
        self, words: Sequence[str], directory: str, additions: dict[str, str]
    ) -> tuple[int, str]:
        """Run one command of the build, like the function `command`."""
        home = self._scratch.name
        log = f"{home}/pip.log"
        with suppress(FileNotFoundError):
            os.unlink(log)
        environment = {
            **os.environ, **self._access, "HOME": home, "TMPDIR": home, "PIP_LOG": log, **additions
        }  # fmt: skip
        places = [*self.places(), home]
        # A build must not fill the disk: services would fail, too.
        most = max(LEAST_SPACE, free_space(places[0]) - LEAST_SPACE)
        try:
            with limited(file_size=most):
                status, output = pass_on(words, directory, environment, places)
        finally:
            # The next steps rely on these files: no process of the build may change them later.
            end_descendants()
        # pip says only there why it did not use a page of an index.
        return status, "\n".join([output, *(hidden_words(log) if status else ())])


def try_out(words: Sequence[str], release: str, writable: Sequence[str]) -> tuple[int, str]:
    """Run one command of a rehearsal, with a clean environment.

    It cannot write to the release, as services cannot either.
    """
    with scratch_directory() as home:
        environment = base_environment(home)
        environment["PATH"] = f"{release}/.venv/bin:{environment['PATH']}"
        environment["TMPDIR"] = home
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        return pass_on(words, release, environment, [*writable, home])


def scratch_directory() -> "tempfile.TemporaryDirectory[str]":
    """Make a temporary directory for a command; failures to remove it are ignored."""
    return tempfile.TemporaryDirectory(prefix="autoupdate-", ignore_cleanup_errors=True)


def pass_on(
    words: Sequence[str],
    directory: str,
    environment: Mapping[str, str],
    writable: Sequence[str] | None = None,
) -> tuple[int, str]:
    """Run a command; pass its output on line by line, and return its status and its output.

    `writable` are the only places where it may write; None: the same as this worker.
    """
    with prepared(writable) if writable is not None else nullcontext(None) as restrict:
        process = start(
            words,
            environment=environment,
            directory=directory,
            stderr=subprocess.STDOUT,
            own_session=False,
            before=restrict,
        )
    assert process.stdin is not None  # noqa: S101 - for the type checker: both are pipes
    assert process.stdout is not None  # noqa: S101
    process.stdin.close()
    lines: deque[str] = deque(maxlen=MOST_LINES)
    for raw in lines_of(process):
        line = raw.decode(errors="replace").rstrip()
        lines.append(line)
        if line:
            answer({"output": line})
    process.stdout.close()
    return process.wait(), "\n".join(lines)


def lines_of(process: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    """Yield what a process prints, line by line, until it has ended.

    Processes that it leaves behind are killed: they may keep its output open, and would block us.
    """
    assert process.stdout is not None  # noqa: S101 - for the type checker: a pipe
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(LOOK_EVERY):
                if process.poll() is None:
                    continue
                end_descendants()
                if not selector.select(LOOK_EVERY):
                    break
            chunk = os.read(process.stdout.fileno(), LONGEST_LINE)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) >= LONGEST_LINE:
                yield rest
                rest = b""
    if rest:
        yield rest


def answer(message: dict[str, Any]) -> None:
    """Write one line to the run."""
    print(json.dumps(message), flush=True)
