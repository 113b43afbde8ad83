"""The shared paths: made once, from the repository's copy, for the services' user."""

import os
import shutil
from collections.abc import Sequence
from typing import NamedTuple

from autoupdate.config.sections import Settings
from autoupdate.host.links import linked_release
from autoupdate.host.process import (
    Identity,
    NotStartedError,
    TimedOutError,
    base_environment,
    find_user,
    run,
)
from autoupdate.host.services import Services
from autoupdate.model.errors import UpdateFailedError
from autoupdate.model.paths import AppPaths

COPY_LIMIT = 600.0
# Closed to all but root until it is known which user the services run as.
CLOSED, OPEN = 0o700, 0o755


class Owner(NamedTuple):
    """The user that gets the shared paths, None for the caller; not known without services."""

    user: Identity | None
    known: bool


def owner(services: Services, names: Sequence[str]) -> Owner:
    """Return the user that the services run as: that of the first service with a user."""
    if os.geteuid() != 0:
        return Owner(None, known=True)
    seen = services.look(names)
    present = [service for service in seen if service.exists]
    for service in present:
        user = find_user(service.user) if service.user else None
        if user:
            return Owner(user, known=True)
    # If there are no services to ask, or no service manager, root is the final answer.
    return Owner(None, known=bool(present) or not seen)


def is_handed_over(paths: AppPaths) -> bool:
    """Return whether the shared paths were given to the services' user, or do not exist."""
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
        # Until the directory is opened, only root can change what is in it.
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

    The copy is read as the builds' user and written as the services' user, so that root follows no
    link of upstream's. Raises UpdateFailedError.
    """
    if not settings.shared:
        return
    if not os.path.isdir(paths.shared):
        os.mkdir(paths.shared, CLOSED)
    hand_over(settings, paths, services)
    user = owner(services, settings.services).user
    for path in settings.shared:
        if not os.path.lexists(f"{paths.shared}/{path}") and not _take_over(paths, path, builder):
            _seed(paths, path, f"{paths.release(release)}/{path}", builder, user)


def _seed(
    paths: AppPaths, path: str, source: str, builder: Identity | None, user: Identity | None
) -> None:
    """Make one shared path from the release's copy, or an empty directory."""
    # A fixed name: the next run overwrites what a killed run left.
    scratch = f"{paths.home}/seed"
    shutil.rmtree(scratch, ignore_errors=True)
    os.mkdir(scratch, 0o700)
    try:
        _give(scratch, user)
        # A link in the repository stands for its target, which must be in the release.
        real = os.path.realpath(source)
        if not real.startswith(f"{os.path.realpath(paths.releases)}/"):
            raise UpdateFailedError(f"shared path {path} is a link that leads out of the release")
        seed = f"{scratch}/seed"
        if os.path.isdir(real):
            _make_directory(seed, user)
            _copy(real, ".", builder, seed, user)
        elif os.path.exists(real):
            name = os.path.basename(real)
            _copy(os.path.dirname(real), name, builder, scratch, user)
            os.rename(f"{scratch}/{name}", seed)
        else:
            _make_directory(seed, user)
        _move_in(seed, paths.shared, path, user)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _take_over(paths: AppPaths, path: str, builder: Identity | None) -> bool:
    """Move the services' data out of the current release, where a purge of this package put it.

    Returns whether there was any. Running services write to it through a link in its old place.
    """
    current = linked_release(paths.current)
    place = f"{paths.release(current)}/{path}"
    if not current or os.path.islink(place) or not os.path.isdir(place):
        return False
    whose = os.stat(place)
    if builder is None or whose.st_uid == builder.uid:
        # Upstream's own files, not a service's data.
        return False
    _move_in(place, paths.shared, path, Identity("", whose.st_uid, whose.st_gid))
    os.symlink(os.path.relpath(f"{paths.shared}/{path}", os.path.dirname(place)), place)
    return True


def _make_directory(directory: str, user: Identity | None) -> None:
    os.mkdir(directory, 0o755)
    _give(directory, user)


def _give(place: str, user: Identity | None, directory: int | None = None) -> None:
    if user:
        os.chown(place, user.uid, user.gid, dir_fd=directory, follow_symlinks=False)


def _move_in(seeded: str, shared: str, path: str, user: Identity | None) -> None:
    """Move a seed to its place; no link is followed, as the services' user can write there."""
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
    """Copy a path of a release into another directory, under the same relative path (tar(1))."""
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
