"""The fast path of a run and of the gate: nothing has changed here, and upstream neither.

It asks upstream one question, and loads so few modules that it takes little longer than the start
of Python. If anything differs from what the last run wrote down, the usual run or gate decides
(cli/main.py, gate.py).
"""

import fcntl
import os
import time

from autoupdate.model.paths import AppPaths, Paths
from autoupdate.service_start import fast_path_facts
from autoupdate.upstream import ls_refs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[..., str]

# How long, in seconds, the gate waits for the lock: another start may be asking upstream right now.
PATIENCE = 0.2


def pass_gate(arguments: list[str], paths: Paths | None = None) -> int:
    """Let a service start (0) or keep it down (1); see gate.py."""
    # As in the units (host/process.py): UMask= of the service, which this may have, is its own.
    os.umask(0o022)
    paths = paths or Paths()
    name = arguments[0] if arguments else ""
    if is_plain(name):
        # Only then may it be one that is not managed.
        if not runs_from_release(paths.app(name)):
            from autoupdate.service_start.unmanaged import must_start

            if must_start(paths, name):
                return 0
        if find_nothing_new(paths, name, for_a_start=True):
            return 0
    from autoupdate.service_start.gate import main as usual

    return usual(arguments, paths)


def runs_from_release(app: AppPaths) -> bool:
    """Return whether the working directory, which the unit of the service sets, is a release."""
    try:
        return os.getcwd().startswith(f"{os.path.realpath(app.releases)}/")
    except OSError:
        return False


def is_plain(name: str) -> bool:
    """Return whether an argument is no option, and safe to use as a file name."""
    return bool(name) and "/" not in name and not name.startswith((".", "-"))


def find_nothing_new(
    paths: Paths, name: str, *, for_a_start: bool = False, ask: "Ask" = ls_refs.ask
) -> str:
    """Do a whole run if nothing has changed; return how it ended, or "" if something has changed.

    `for_a_start`: the gate asks, before the start of a service.
    """
    app = paths.app(name)
    try:
        lock = os.open(app.lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        if not take(lock, time.monotonic() + (PATIENCE if for_a_start else 0)):
            return ""
        return compare(paths, app, ask, for_a_start=for_a_start)
    finally:
        # This also releases the lock.
        os.close(lock)


def take(lock: int, deadline: float) -> bool:
    """Take the lock of an app; return false if another process still has it at the deadline."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        else:
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
            return True


def compare(paths: Paths, app: AppPaths, ask: "Ask", *, for_a_start: bool) -> str:
    """Ask upstream if nothing here has changed; record the run if upstream has the same commit.

    Returns how the run ended, or "" if something has changed.
    """
    facts = fast_path_facts.read(app.known)
    if facts is None:
        return ""
    (reason,) = facts["reason"]
    if for_a_start and facts["asked_by_starts"] == ["no"]:
        return ""
    if for_a_start and is_fresh(app):
        return reason
    if os.path.exists(app.trash):
        # What removes it was interrupted: a usual run starts that again.
        return ""
    if not for_a_start and has_requests(app):
        # The start of a service waits for this run, which may not have to ask: see update/run.py.
        return ""
    started = now()
    (url,), (ref,), (commit,), (timeout,) = (
        facts["url"], facts["ref"], facts["commit"], facts["timeout"],
    )  # fmt: skip
    environment = dict(line.split("=", 1) for line in facts["environment"])
    user = tuple(map(int, facts["user"][0].split(":"))) if facts["user"] != [""] else None
    answer = ask(
        url, ref, environment=environment, user=(user[0], user[1]) if user else None,
        timeout=float(timeout), digits=len(commit),
    )  # fmt: skip
    if answer != commit:
        ls_refs.remember(url, ref, answer)
        return ""
    note(paths, app, facts, started)
    return reason


def note(paths: Paths, app: AppPaths, facts: fast_path_facts.Facts, started: str) -> None:
    """Write what a run that found nothing new writes: log lines, its time, the freshness stamp."""
    from autoupdate.host.log_sinks import append_line, send

    (reason,) = facts["reason"]
    send(facts["field"])
    try:
        append_line(paths.log, reason)
    except OSError:
        # The next usual run reports it.
        pass
    replace(app.last_look, f"{started}\n{now()}\n{reason}\n")
    uptime = float(read("/proc/uptime").split()[0])
    until = int(uptime + float(facts["fresh_for"][0]))
    replace(app.fresh, "".join(f"{line}\n" for line in (until, *facts["stamp"])))
    # As host/runtime_files.py (set_fresh) does, for the same reason.
    moment = int(time.time()) - 1
    os.utime(app.fresh, (moment, moment))


def is_fresh(app: AppPaths) -> bool:
    """Return whether the last check is young enough; everything else was compared already."""
    try:
        return float(read("/proc/uptime").split()[0]) < int(read(app.fresh).split("\n", 1)[0])
    except (OSError, ValueError):
        return False


def has_requests(app: AppPaths) -> bool:
    """Return whether a gate has left a request for a run."""
    try:
        return bool(os.listdir(app.requests))
    except OSError:
        return False


def read(file: str) -> str:
    """Return the content of a file."""
    with open(file, encoding="utf-8", errors="surrogateescape") as stream:
        return stream.read()


def replace(file: str, text: str) -> None:
    """Replace a file as a whole; it is not synced, so a power cut may lose it."""
    temporary = f"{file}.new"
    with open(temporary, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(text)
    os.rename(temporary, file)


def now() -> str:
    """Return the time of day, RFC 3339 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
