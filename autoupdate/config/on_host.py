"""Settings that cannot be used on this host, or beside those of another app, though well-formed."""

import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from autoupdate.config.sections import Settings
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.paths import Paths

PYTHON = re.compile(r"/usr/bin/(python3(\.[0-9]+)?)")
# An update would put a link in the place of one of these directories (hier(7)) ...
OF_THE_HOST = re.compile(
    r"/(dev|home|lost\+found|media|mnt|opt|root|run|srv|tmp|var)|/usr/local(/[a-z]+)?"
    r"|/var/(backups|cache|lib|local|log|mail|opt|run|spool|tmp|www)"
)
# ... or into one that belongs to the system.
BELOW = re.compile(r"/(bin|boot|etc|lib|lib32|lib64|proc|sbin|sys|usr(?!/local/))(/|$)")


class Claim(NamedTuple):
    """What an app uses alone: its path and its services, and whether it is deployed."""

    path: str
    services: tuple[str, ...]
    is_deployed: bool


def faults(
    paths: Paths, settings: Settings, at: Callable[[str], str]
) -> Iterator[ConfigurationError]:
    """Yield an error for each setting that cannot be used; `at` says where a key is set."""
    python = settings.build.python
    if not (os.path.isfile(python) and os.access(python, os.X_OK)):
        what = "is a directory" if os.path.isdir(python) else "is not an executable file"
        yield ConfigurationError(f"{at('build.python')}: {python} {what}", package_of(python))
    if said := why_no_path(paths, settings.path):
        advice = "name a directory of the app alone, such as /opt/NAME"
        yield ConfigurationError(f"{at('path')}: {settings.path} {said}", advice)


def package_of(python: str) -> str:
    """Return what to type or to do for a Python interpreter that is missing."""
    found = PYTHON.fullmatch(python)
    if not found:
        return "name an interpreter, such as /usr/bin/python3"
    # The package of one version does not bring the module venv.
    return f"apt install {found[1]}-venv" if found[2] else "apt install python3"


def why_no_path(paths: Paths, path: str) -> str:
    """Return why no app can be at a path; empty if one can."""
    inside = path.removeprefix(paths.root) if path.startswith(f"{paths.root}/") else path
    if OF_THE_HOST.fullmatch(inside) or BELOW.match(inside):
        return "is a directory of the system"
    # Links above it count: the path of an app leads into its release.
    real = f"{os.path.realpath(os.path.dirname(path))}/{os.path.basename(path)}"
    state = os.path.dirname(paths.app("any").home)
    for ours in (state, paths.cache, paths.vendor):
        if f"{path}/".startswith(f"{ours}/") or f"{real}/".startswith(f"{ours}/"):
            return f"is inside {ours}, which autoupdate itself writes"
    return ""


def conflicts(
    app: str, claims: dict[str, Claim], at: Callable[[str], str]
) -> Iterator[ConfigurationError]:
    """Yield an error for each path and service that another app has, too.

    An app that is deployed goes on; it is the other one that must change.
    """
    own = claims[app]
    for name, other in claims.items():
        if name == app or (own.is_deployed and not other.is_deployed):
            continue
        if lies_in(own.path, other.path) or lies_in(other.path, own.path):
            message = f"{at('path')}: {own.path} is also the path of app {name} ({other.path})"
            yield ConfigurationError(message, "give each app a path of its own")
        for service in sorted(set(own.services) & set(other.services)):
            message = f"{at('services')}: {service} is also a service of app {name}"
            yield ConfigurationError(message, "name each service in one app only")


def lies_in(path: str, directory: str) -> bool:
    """Return whether a path is a directory, or inside it; false if one is not known."""
    return bool(path and directory) and f"{path}/".startswith(f"{directory}/")
