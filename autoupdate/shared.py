"""What outlives a release: made once, from the repository's copy, for the services' user."""

import os
import pwd
import secrets
import shutil
from collections.abc import Sequence
from typing import NamedTuple

from autoupdate.errors import UpdateFailedError
from autoupdate.paths import AppPaths
from autoupdate.publish import linked_release
from autoupdate.run import Identity, NotStartedError, TimedOutError, base_environment, run
from autoupdate.services import Services
from autoupdate.settings import Settings

COPY_LIMIT = 600.0
# Closed to all but root until it is known which user the services run as.
CLOSED, OPEN = 0o700, 0o755


class Owner(NamedTuple):
    """Whose the shared paths are: the user, None for the one who runs this; not known at first."""

    user: Identity | None
    known: bool


def owner(services: Services, names: Sequence[str]) -> Owner:
    """Find out who the services run as: the user of the first one on this host that has one."""
    if os.geteuid() != 0:
        return Owner(None, known=True)
    present = [service for service in services.look(names) if service.exists]
    for service in present:
        if service.user:
            try:
                entry = (
                    pwd.getpwuid(int(service.user))
                    if service.user.isdigit()
                    else pwd.getpwnam(service.user)
                )
            except KeyError:
                continue
            return Owner(Identity(entry.pw_name, entry.pw_uid, entry.pw_gid), known=True)
    return Owner(None, known=bool(present))


def is_handed_over(paths: AppPaths) -> bool:
    """Tell whether the shared paths belong to those who use them, or there are none."""
    try:
        return os.stat(paths.shared).st_mode & 0o777 != CLOSED
    except FileNotFoundError:
        return True


def hand_over(settings: Settings, paths: AppPaths, services: Services) -> None:
    """Give the shared paths to the services' user, if they were made before the services."""
    if is_handed_over(paths):
        return
    whose = owner(services, settings.services)
    if not whose.known:
        return
    if whose.user:
        # Until the directory opens, nobody but root can change what is in it.
        for _, directories, files, descriptor in os.fwalk(paths.shared):
            for name in directories + files:
                _give(name, whose.user, descriptor)
        _give(paths.shared, whose.user)
    os.chmod(paths.shared, OPEN)


def provide(
    settings: Settings,
    paths: AppPaths,
    release: str,
    builder: Identity | None,
    services: Services,
) -> None:
    """Make every shared path that is missing, from the release's own copy if it has one.

    The copy is read as the builds' user and written as the services' user, so that nothing that
    upstream wrote is followed by root. Raises UpdateFailedError.
    """
    if not settings.shared:
        return
    if not os.path.isdir(paths.shared):
        os.mkdir(paths.shared, CLOSED)
    hand_over(settings, paths, services)
    user = owner(services, settings.services).user
    for path in settings.shared:
        target = f"{paths.shared}/{path}"
        if os.path.lexists(target) or _take_over(paths, path):
            continue
        scratch = f"{paths.home}/seed-{secrets.token_hex(4)}"
        os.mkdir(scratch, 0o755)
        try:
            _give(scratch, user)
            seeded = f"{scratch}/{path}"
            if os.path.lexists(f"{paths.release(release)}/{path}"):
                _copy(paths.release(release), path, builder, scratch, user)
            else:
                os.makedirs(seeded, mode=0o755)
                _give(seeded, user)
            _move_in(seeded, paths.shared, path, user)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _take_over(paths: AppPaths, path: str) -> bool:
    """Move the services' data out of the current release, where a removal of this package put it.

    Tells whether there was any. The services go on writing through a link in its place.
    """
    current = linked_release(paths.current)
    place = f"{paths.release(current)}/{path}"
    if not current or os.path.islink(place) or not os.path.isdir(place):
        return False
    os.makedirs(os.path.dirname(f"{paths.shared}/{path}"), exist_ok=True)
    os.rename(place, f"{paths.shared}/{path}")
    os.symlink(os.path.relpath(f"{paths.shared}/{path}", os.path.dirname(place)), place)
    return True


def _give(place: str, user: Identity | None, directory: int | None = None) -> None:
    if user:
        os.chown(place, user.uid, user.gid, dir_fd=directory, follow_symlinks=False)


def _move_in(seeded: str, shared: str, path: str, user: Identity | None) -> None:
    """Move a seed to its place; that directory is the services' user's, so no link is followed."""
    *parents, name = path.split("/")
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(shared, flags)
    try:
        for part in parents:
            if part not in os.listdir(descriptor):
                os.mkdir(part, 0o755, dir_fd=descriptor)
                _give(part, user, descriptor)
            inner = os.open(part, flags, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        os.rename(seeded, name, dst_dir_fd=descriptor)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(
    source: str, path: str, builder: Identity | None, target: str, user: Identity | None
) -> None:
    """Copy a path of a release into another directory, keeping its place in it (tar(1))."""
    environment = base_environment("/nonexistent")
    try:
        packed = run(
            ["tar", "--create", "--directory", source, "--", path],
            environment=environment, identity=builder, timeout=COPY_LIMIT,
        )  # fmt: skip
        unpacked = run(
            ["tar", "--extract", "--no-same-owner", "--directory", target],
            environment=environment, identity=user, timeout=COPY_LIMIT, stdin=packed.stdout,
        )  # fmt: skip
    except (NotStartedError, TimedOutError) as error:
        raise UpdateFailedError(f"shared path {path} cannot be copied: {error}") from None
    for part in (packed, unpacked):
        if part.returncode:
            raise UpdateFailedError(f"shared path {path} cannot be copied: {part.stderr.strip()}")
