"""The files in /run, which last until the next boot: lock, marker, freshness stamp, requests."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from autoupdate.config import renamed
from autoupdate.host.links import let_others_in, remove_link
from autoupdate.model.errors import BusyError, NotPermittedError
from autoupdate.model.paths import AppPaths

# Longer than a run may take: fetch, build and probation at their limits.
LONGEST_WAIT = 3 * 3600.0
LOOK_AGAIN = 0.1
# What a gate requests: an update, or only to finish or undo an interrupted run.
UPDATE, RECOVER = "update", "recover"
# States (proc(5)) of a process that has ended, but was not reaped.
ENDED = ("Z", "X")


@contextmanager
def exclusive(paths: AppPaths, app: str, *, wait: bool) -> Iterator[None]:
    """Hold the lock of an app (flock(2)); it ends with the process, however that ends.

    Raises BusyError when another run holds it and `wait` is false, or holds it for hours, or when
    the app was removed meanwhile; NotPermittedError for those who may not run updates; RenamedError
    and UnfinishedRenameError.
    """
    with locked(paths, app, wait=wait):
        renamed.refuse(paths, app)
        yield


@contextmanager
def locked(paths: AppPaths, app: str, *, wait: bool) -> Iterator[None]:
    """Hold the lock of an app also by its former name, or during a rename; see `exclusive`."""
    try:
        os.makedirs(paths.run, mode=0o755, exist_ok=True)
        # The builds' user finds credentials below, and every user may see whether there is a run.
        for directory in (os.path.dirname(paths.run), paths.run):
            let_others_in(directory)
        # Not readable for others: who can open the file can lock it, and so block every update.
        descriptors = [_open_lock(paths.lock)]
    except PermissionError as error:
        raise NotPermittedError(f"{error.filename}: {error.strerror}", "try it with sudo") from None
    # A full or read-only file system is reported by what needs it; an app may have no state yet.
    with suppress(OSError):
        descriptors.append(_open_lock(paths.state_lock))
    try:
        deadline = time.monotonic() + (LONGEST_WAIT if wait else 0)
        for descriptor in descriptors:
            _acquire(descriptor, app, deadline)
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        if len(descriptors) > 1 and not _is_in_place(descriptors[1], paths.state_lock):
            # The other one is not asked: `run` may be gone, and the state be whole.
            raise BusyError(
                f"{app} was removed from this host while this waited for its lock",
                "look whether that was wanted, then type it again",
            )
        yield
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _open_lock(file: str) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_in_place(descriptor: int, file: str) -> bool:
    """Return whether a file is still the one that was opened: `forget` removes it."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(file))
    except FileNotFoundError:
        return False


@contextmanager
def opening_state(paths: AppPaths) -> Iterator[None]:
    """Keep others from opening the state while a damaged one may be replaced; for a moment only."""
    os.makedirs(paths.run, mode=0o755, exist_ok=True)
    descriptor = os.open(paths.opening, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, app: str, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
                raise BusyError(
                    f"another run of {app} is under way (process {holder or 'unknown'})",
                    "wait for it, or look at it with: autoupdatectl status",
                ) from None
            time.sleep(LOOK_AGAIN)


def is_running(paths: AppPaths) -> bool:
    """Return whether a run of the app holds the lock; works for all users (proc(5), locks)."""
    return any(_is_held(file) for file in (paths.lock, paths.state_lock))


def _is_held(file: str) -> bool:
    try:
        lock = os.stat(file)
        with open("/proc/locks", encoding="ascii") as locks:
            found = [line.split() for line in locks if f":{lock.st_ino} " in line]
    except OSError:
        return False
    # In another file system, a file of another user may have the same inode number.
    return any(words[1] == "FLOCK" and _may_be_of(lock.st_uid, words[4]) for words in found)


def _may_be_of(owner: int, pid: str) -> bool:
    """Return whether a process belongs to a user, or is not visible here."""
    try:
        return os.stat(f"/proc/{pid}").st_uid == owner
    except FileNotFoundError:
        return True


@contextmanager
def activating(paths: AppPaths) -> Iterator[None]:
    """Let services start without waiting while this process switches releases and watches."""
    _write(paths.activating, f"{os.getpid()} {start_time('self')}\n")
    try:
        yield
    finally:
        remove_link(paths.activating)


def set_watching(paths: AppPaths) -> None:
    """Record in the marker that the switch is done, and the services are being watched."""
    _write(paths.activating, f"{os.getpid()} {start_time('self')} watching\n")


def is_watching(paths: AppPaths) -> bool:
    """Return whether a living process watches services after a switch."""
    return _marker(paths)[1:] == ["watching"]


def is_activating(paths: AppPaths) -> bool:
    """Return whether a living process is switching releases or watching services."""
    return bool(_marker(paths))


def _marker(paths: AppPaths) -> list[str]:
    """Return the fields of a living process's marker, without its process id."""
    try:
        with open(paths.activating, encoding="ascii") as marker:
            pid, *words = marker.read().split()
        return words if words and start_time(pid) == words[0] else []
    except (OSError, ValueError):
        return []


def start_time(pid: str) -> str:
    """Return the start time of a process in clock ticks since boot: field 22 of proc(5)'s stat.

    Raises OSError if there is no such process, or if it has ended and was not reaped.
    """
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        # The command name, in brackets, may itself hold spaces and brackets.
        state, *fields = stat.read().rpartition(")")[2].split()
    if state in ENDED:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH), pid)
    return fields[18]


def set_fresh(paths: AppPaths, seconds: float, python: str, files: Sequence[str]) -> None:
    """Let services start without a check of upstream for some time.

    That ends earlier when `python` changes, the current release is missing, or one of the settings'
    `files` changes. units/pre-start reads the same lines.
    """
    lines = [str(int(_uptime() + seconds)), *stamp(paths, python, files)]
    _write(paths.fresh, "".join(f"{line}\n" for line in lines))
    # Shells compare whole seconds: a change within this second must count as newer.
    moment = int(time.time()) - 1
    os.utime(paths.fresh, (moment, moment))
    remove_link(paths.refused)


def stamp(paths: AppPaths, python: str, files: Sequence[str]) -> list[str]:
    """Return what freshness depends on, apart from the time."""
    return [python, os.path.realpath(python), _in_use(paths), *files]


def _in_use(paths: AppPaths) -> str:
    return f"{paths.current}/.venv/bin/python"


def is_fresh(paths: AppPaths) -> bool:
    """Return whether the last check is recent enough for a service's start."""
    try:
        with open(paths.fresh, encoding="utf-8", errors="surrogateescape") as stamp:
            until, python, interpreter, in_use, *files = stamp.read().splitlines()
        made = int(os.stat(paths.fresh).st_mtime)
        return (
            int(_uptime()) < int(until)
            and os.path.samefile(python, interpreter)
            and os.path.exists(in_use)
            and not any(_changed_since(file, made) for file in files)
        )
    except (OSError, ValueError):
        return False


def _changed_since(file: str, moment: int) -> bool:
    try:
        return int(os.stat(file).st_mtime) > moment
    except FileNotFoundError:
        return False


def refused_for(paths: AppPaths) -> float:
    """Return for how many seconds starts have been refused, from the first one until now.

    It ends when services may start again (`set_fresh`).
    """
    with suppress(OSError, ValueError), open(paths.refused, encoding="ascii") as file:
        return max(0.0, _uptime() - float(file.read()))
    _write(paths.refused, f"{_uptime()}\n")
    return 0.0


def set_stale(paths: AppPaths) -> None:
    """Make the next start of a service check upstream and the transaction."""
    remove_link(paths.fresh)


@contextmanager
def request(paths: AppPaths, wish: str) -> Iterator[None]:
    """Leave a request for the runs of this app while a service's start waits for them."""
    file = f"{paths.requests}/{os.getpid()}"
    _write(file, f"{start_time('self')} {wish}\n")
    try:
        yield
    finally:
        remove_link(file)


def requests(paths: AppPaths) -> set[str]:
    """Return the requests of service starts that wait now; a killed gate does not count."""
    wishes = set()
    with suppress(FileNotFoundError):
        for pid in os.listdir(paths.requests):
            with suppress(OSError, ValueError):
                with open(f"{paths.requests}/{pid}", encoding="ascii") as file:
                    started, wish = file.read().split()
                if start_time(pid) == started:
                    wishes.add(wish)
    return wishes


def _uptime() -> float:
    with open("/proc/uptime", encoding="ascii") as stream:
        return float(stream.read().split()[0])


def _write(path: str, text: str) -> None:
    # Somebody may have removed it while a run goes on.
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(text)
    os.rename(temporary, path)
