"""autoupdatectl exec"""

import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from autoupdate.cli.own_terminal import in_own_terminal
from autoupdate.config import last_valid
from autoupdate.config.load import load
from autoupdate.config.renamed import RenamedError
from autoupdate.config.run_from import located
from autoupdate.config.sections import Settings
from autoupdate.gates.runnable import is_complete
from autoupdate.host.links import is_managed, linked_release
from autoupdate.host.log import say
from autoupdate.host.process import (
    SEARCH_PATH,
    Identity,
    NotStartedError,
    become,
    find_user,
    in_own_session,
)
from autoupdate.host.services import Service, Services, Systemd
from autoupdate.model.errors import AutoupdateError, ConfigurationError, NotPermittedError
from autoupdate.model.paths import AppPaths, Paths

# As shells have them (bash(1)).
NOT_FOUND, NOT_EXECUTABLE = 127, 126


def execute(paths: Paths, app: str, chosen: Namespace) -> int:
    """Run a command in the current release; return only if it cannot be started."""
    place, services = paths.app(app), Systemd()
    settings = located(usable_settings(paths, app), services.directives, place)
    refuse_undeployed(settings, place)
    user = user_of(services, settings)
    if os.geteuid() not in (0, user.uid):
        raise NotPermittedError(
            f"only root and {user.name} may run a command as {user.name}", "try it with sudo"
        )
    environment = environment_of(settings.path, user)

    def begin() -> int:
        return start(chosen.command, environment, user, settings.path)

    if os.geteuid() != 0:
        return begin()
    # A program of another user's could type into the terminal of the caller (ioctl_tty(2)).
    if sys.stdin.isatty() and sys.stdout.isatty():
        return in_own_terminal(begin)
    return in_own_session(begin)


def start(command: Sequence[str], environment: dict[str, str], user: Identity, path: str) -> int:
    """Become the command; return the exit code of one that cannot be started."""
    identity = user if os.geteuid() == 0 else None
    try:
        become(command, environment=environment, identity=identity, directory=path)
    except FileNotFoundError:
        say(f"autoupdatectl: {command[0]}: command not found")
        return NOT_FOUND
    except NotStartedError as error:
        say(f"autoupdatectl: {error}")
        return NOT_EXECUTABLE


def usable_settings(paths: Paths, app: str) -> Settings:
    """Return the settings of an app, or the last valid ones: by them it was deployed."""
    try:
        return load(paths, app)
    except RenamedError:
        raise
    except ConfigurationError:
        kept = last_valid.read(paths.app(app).last_valid, app)
        if kept is None:
            raise
        return kept


def refuse_undeployed(settings: Settings, place: AppPaths) -> None:
    """Raise AutoupdateError if there is no release in which a command could run."""
    release = linked_release(place.current)
    if not release or not is_managed(settings.path, place):
        raise AutoupdateError(
            f"{settings.app}: nothing is deployed at {settings.path}",
            f"autoupdatectl run {settings.app}",
        )
    if not is_complete(place, release):
        raise AutoupdateError(
            f"{settings.app}: release {release} is not complete",
            f"autoupdatectl run {settings.app}",
        )


def user_of(services: Services, settings: Settings) -> Identity:
    """Return the user of the app's services: if there are several, the owner of shared files.

    Says so then. Raises ConfigurationError for root, and for a user that does not exist.
    """
    present = [item for item in services.look(settings.services) if item.exists]
    named = [item for item in present if item.user and find_user(item.user)]
    if not named:
        missing = [item for item in present if item.user]
        if missing:
            why = f"the user {missing[0].user} of {missing[0].name} does not exist"
        elif present:
            why = "its services run as root, and upstream's code is not run as root by autoupdate"
        else:
            why = "this host has none of its services, so it is not known which user to take"
        raise ConfigurationError(
            f"{settings.app}: {why}",
            f"set User= in the unit of a service; or: sudo -u USER --chdir={settings.path} --"
            f" {settings.path}/.venv/bin/COMMAND",
        )
    user = with_group(named[0])
    if user.uid == 0:
        raise ConfigurationError(
            f"{settings.app}: {named[0].name} runs as root, and upstream's code is not run as root"
            " by autoupdate",
            f"sudo -u USER --chdir={settings.path} -- {settings.path}/.venv/bin/COMMAND",
        )
    if len({(item.user, item.group) for item in present}) > 1:
        say(f"autoupdatectl: the services have several users; this is run as {user.name}, the user"
            f" of {named[0].name}, which owns the shared files")  # fmt: skip
    return user


def with_group(service: Service) -> Identity:
    """Return the user of a service, with the group that its unit sets. Raises ConfigurationError.

    The user exists.
    """
    import grp

    user = find_user(service.user)
    assert user  # noqa: S101 - for the type checker
    if not service.group:
        return user
    try:
        number = service.group.isdigit()
        gid = int(service.group) if number else grp.getgrnam(service.group).gr_gid
    except KeyError:
        raise ConfigurationError(
            f"the group {service.group} of {service.name} does not exist",
            f"systemctl edit {service.name}",
        ) from None
    return user._replace(gid=gid)


def environment_of(path: str, user: Identity) -> dict[str, str]:
    """Return the environment of the command: nothing of the caller's but terminal and language."""
    import pwd

    home = pwd.getpwuid(user.uid).pw_dir
    return {
        "PATH": f"{path}/.venv/bin:{SEARCH_PATH}",
        "HOME": home,
        "USER": user.name,
        "LOGNAME": user.name,
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "TERM": os.environ.get("TERM", "dumb"),
        # Nobody but the builds' user may write to a release.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
