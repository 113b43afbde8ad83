"""The one place where processes are started: argument lists, a small environment, a time limit."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, NoReturn

from autoupdate.model.errors import ConfigurationError

# The user that git, pip and upstream's code run as.
BUILDER = "_autoupdate"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOOK_EVERY = 0.1
# Set by each program of ours, whoever started it: other users can read, and not write. What is
# private is made with a mode of its own.
UMASK = 0o022
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


class Identity(NamedTuple):
    """The user that a process runs as."""

    name: str
    uid: int
    gid: int


def find_user(name: str) -> Identity | None:
    """Return a user of the host by name or number; None if there is no such user."""
    import pwd

    try:
        entry = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        return None
    return Identity(entry.pw_name, entry.pw_uid, entry.pw_gid)


class Completed(NamedTuple):
    """The exit status of a process, and its output."""

    returncode: int
    stdout: bytes
    stderr: str


class TimedOutError(Exception):
    """A process did not end within its limit; it and its process group were killed."""


class NotStartedError(Exception):
    """A program is missing or cannot be executed."""


def base_environment(home: str) -> dict[str, str]:
    """Return the environment of every child: only the host's proxies are inherited."""
    environment = {"PATH": SEARCH_PATH, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": home}
    for name in PROXIES:
        for spelling in (name, name.upper()):
            if spelling in os.environ:
                environment[spelling] = os.environ[spelling]
    return environment


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    timeout: float,
    identity: Identity | None = None,
    directory: str = "/",
    stdin: bytes = b"",
    before: Callable[[], None] | None = None,
) -> Completed:
    """Run a command to its end; `before` as in `start`.

    Raises TimedOutError after `timeout` seconds, NotStartedError if the program is missing.
    """
    process = start(
        command,
        environment=environment,
        identity=identity,
        directory=directory,
        stderr=subprocess.PIPE,
        before=before,
    )
    try:
        stdout, stderr = process.communicate(stdin, timeout)
    except subprocess.TimeoutExpired:
        raise TimedOutError(f"{command[0]} did not end within {timeout:g} s") from None
    finally:
        kill_group(process)
    return Completed(process.returncode, stdout, stderr.decode(errors="replace"))


def run_unless(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    timeout: float,
    enough: Callable[[], bool],
) -> Completed | None:
    """Run a command to its end; kill it, and return None, as soon as `enough` returns true.

    Raises TimedOutError after `timeout` seconds, NotStartedError if the program is missing.
    """
    process = start(command, environment=environment, stderr=subprocess.PIPE)
    deadline = time.monotonic() + timeout
    try:
        while True:
            try:
                stdout, stderr = process.communicate(timeout=LOOK_EVERY)
            except subprocess.TimeoutExpired:
                if enough():
                    return None
                if time.monotonic() > deadline:
                    raise TimedOutError(f"{command[0]} did not end within {timeout:g} s") from None
            else:
                return Completed(process.returncode, stdout, stderr.decode(errors="replace"))
    finally:
        kill_group(process)


def start(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    identity: Identity | None = None,
    directory: str = "/",
    stderr: int | None = None,
    own_session: bool = True,
    before: Callable[[], None] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a process, by default in its own session, with pipes to its input and output.

    `before` is called in the new process, before the program is loaded.
    Raises NotStartedError if the program is missing.
    """
    try:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=dict(environment),
            cwd=directory,
            umask=UMASK,
            start_new_session=own_session,
            user=identity.uid if identity else None,
            group=identity.gid if identity else None,
            extra_groups=[] if identity else None,
            preexec_fn=before,
        )
    except subprocess.SubprocessError as error:
        raise NotStartedError(f"{command[0]} cannot be started: {error}") from None
    except OSError as error:
        raise NotStartedError(f"{command[0]} cannot be started: {error.strerror}") from None


def become(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    identity: Identity | None,
    directory: str,
) -> NoReturn:
    """Replace this process by a command, with the groups that the user is in.

    Raises NotStartedError; FileNotFoundError if there is no such program.
    """
    # Python ignores them; a program that is started expects their usual effect (signal(7)).
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.umask(UMASK)
    try:
        if identity:
            os.initgroups(identity.name, identity.gid)
            os.setresgid(identity.gid, identity.gid, identity.gid)
            os.setresuid(identity.uid, identity.uid, identity.uid)
        os.chdir(directory)
    except OSError as error:
        raise NotStartedError(f"{directory}: {error.strerror}") from None
    try:
        os.execvpe(command[0], list(command), dict(environment))  # noqa: S606 - no shell
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NotStartedError(f"{command[0]}: {error.strerror}") from None


def in_own_session(begin: Callable[[], int]) -> int:
    """Call `begin` in a child without a controlling terminal; return the exit code of the child.

    It gets the signals that this process gets. `begin` becomes a program, or returns an exit code.
    """
    child = os.fork()
    if child == 0:
        os.setsid()
        end_with(begin)

    def forward(number: int, _: object) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child, number)

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, forward)
    return exit_code(os.waitpid(child, 0)[1])


def end_with(begin: Callable[[], int]) -> NoReturn:
    """End a forked process with the exit code that `begin` returns, whatever happens in it."""
    code = 1
    try:
        code = begin()
    finally:
        os._exit(code)


def exit_code(status: int) -> int:
    """Return the exit code for the status of a process, as shells do for signals (bash(1))."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill what is left of a process and its process group, and reap it."""
    # The group may be gone, or have only processes of other users.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            # Unsent input of a process that has ended is lost.
            with suppress(BrokenPipeError):
                pipe.close()


def builder() -> Identity | None:
    """Return the user that git, pip and upstream's code run as; None: the caller's own."""
    if os.geteuid() != 0:
        return None
    identity = find_user(BUILDER)
    if identity is None:
        raise ConfigurationError(
            f"there is no user {BUILDER} on this host", "systemd-sysusers, then try again"
        )
    return identity
