"""What of an existing checkout cannot be taken over as it stands, and what to type then."""

import os
import re

from autoupdate.app import App
from autoupdate.host.links import is_managed
from autoupdate.model.checkout import Checkout, TakenOver
from autoupdate.model.errors import ConfigurationError


def refuse_path(app: App, path: str) -> None:
    """Raise ConfigurationError for a path that is no checkout of this app."""
    if path != app.settings.path:
        raise ConfigurationError(
            f"{app.name} has the path {app.settings.path}, not {path}",
            f'set path = "{path}" in /etc/autoupdate/apps/{app.name}.toml, or name the other app',
        )
    if is_managed(path, app.paths):
        raise ConfigurationError(f"{path} is managed already", f"autoupdatectl status {app.name}")
    if os.path.realpath(path) != path:
        raise ConfigurationError(
            f"{path} leads to {os.path.realpath(path)} by a symbolic link",
            "set path to where the directory really is",
        )
    if not os.path.isdir(f"{path}/.git") or os.path.islink(f"{path}/.git"):
        raise ConfigurationError(f"{path} is no Git checkout with a .git directory of its own")
    if os.path.ismount(path):
        raise ConfigurationError(
            f"{path} is a mount point, which cannot be renamed", "mount it one directory further up"
        )
    if os.path.exists(f"{path}/.git/objects/info/alternates"):
        raise ConfigurationError(
            f"{path} borrows its Git objects from another repository",
            f"git -C {path} repack -a -d, then remove {path}/.git/objects/info/alternates",
        )


def refuse_shared(app: App, path: str) -> None:
    """Raise ConfigurationError for shared paths that cannot be moved as they are."""
    for shared in app.settings.shared:
        place = f"{path}/{shared}"
        above = os.path.dirname(place)
        if os.path.realpath(above) != above:
            raise ConfigurationError(
                f"{place} lies behind a symbolic link", f"share what {above} leads to"
            )
        if os.path.islink(place) and not os.path.isabs(os.readlink(place)):
            raise ConfigurationError(
                f"{place} is a relative symbolic link, which would lead elsewhere",
                "make it an absolute one",
            )
        if os.path.ismount(place):
            raise ConfigurationError(
                f"{place} is a mount point", f"mount it at {app.paths.shared}/{shared} instead"
            )


def refuse_other_upstream(app: App, path: str, checkout: Checkout) -> None:
    """Raise ConfigurationError when the checkout comes from somewhere else."""
    wanted = same_place(app.settings.upstream.url)
    if wanted in {same_place(url) for url in checkout.urls}:
        return
    told = ", ".join(checkout.urls) or "nowhere"
    raise ConfigurationError(
        f"{path} comes from {told}, not from upstream.url {app.settings.upstream.url}",
        f"correct upstream.url in /etc/autoupdate/apps/{app.name}.toml",
    )


def same_place(url: str) -> str:
    """Return what two addresses of one repository have in common, however it is reached."""
    found = re.fullmatch(r"(?:[a-z+]+://)?(?:[^@/]*@)?([^/:]*)(?::[0-9]*)?[:/]+(.*)", url)
    host, path = found.groups() if found else ("", url)
    return f"{host.lower()}/{path.strip('/').removesuffix('.git')}"


def refuse_local_commits(app: App, path: str, taken: TakenOver, *, leave_commits: bool) -> None:
    """Raise ConfigurationError where services run commits that upstream does not have."""
    if not taken.base:
        raise ConfigurationError(
            f"{path} has no commit in common with {app.settings.upstream.track} of upstream",
            "correct upstream.url or upstream.track",
        )
    if taken.local and not leave_commits:
        raise ConfigurationError(
            f"{path} has {taken.local} commits that {app.settings.upstream.track} does not have;"
            f" the services would go on with commit {taken.base}, the newest one that both have",
            "push them first; or, as they are kept in the mirror below refs/autoupdate/adopted/,"
            f" go on without them: autoupdatectl adopt --leave-commits {path} {app.name}",
        )
