"""The reasons why a checkout cannot be adopted as it is, each with what to do about it."""

import os
import re

from autoupdate.app import App
from autoupdate.host.links import is_managed
from autoupdate.model.checkout import Checkout, TakenOver
from autoupdate.model.commits import short
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.paths import AppPaths
from autoupdate.model.sizes import counted


def refuse_path(app: App, place: AppPaths, path: str) -> None:
    """Raise ConfigurationError for a path that is not a checkout of this app (`place`)."""
    if path != app.settings.path:
        raise ConfigurationError(
            f"{app.name} has the path {app.settings.path}, not {path}",
            f'set path = "{path}" in /etc/autoupdate/apps/{app.name}.toml, or name the other app',
        )
    if is_managed(path, place):
        raise ConfigurationError(
            f"{path} is already managed by autoupdate", f"autoupdatectl status {app.name}"
        )
    if os.path.realpath(path) != path:
        raise ConfigurationError(
            f"{path} leads through a symbolic link to {os.path.realpath(path)}",
            "set path to the real directory",
        )
    if not os.path.isdir(f"{path}/.git") or os.path.islink(f"{path}/.git"):
        raise ConfigurationError(f"{path} is not a Git checkout with its own .git directory")
    if os.path.ismount(path):
        raise ConfigurationError(
            f"{path} is a mount point, which cannot be renamed",
            "mount the file system one directory higher",
        )
    if os.path.exists(f"{path}/.git/objects/info/alternates"):
        raise ConfigurationError(
            f"{path} uses Git objects of another repository",
            f"git -C {path} repack -a -d, then remove {path}/.git/objects/info/alternates",
        )


def refuse_shared(app: App, path: str) -> None:
    """Raise ConfigurationError for shared paths that cannot be moved as they are."""
    for shared in app.settings.shared:
        place = f"{path}/{shared}"
        above = os.path.dirname(place)
        if os.path.realpath(above) != above:
            raise ConfigurationError(
                f"{place} is below a symbolic link",
                f"set shared to the real path of {above}",
            )
        if os.path.islink(place) and not os.path.isabs(os.readlink(place)):
            raise ConfigurationError(
                f"{place} is a relative symbolic link, which would point elsewhere after the move",
                "make it an absolute link",
            )
        if os.path.ismount(place):
            raise ConfigurationError(
                f"{place} is a mount point", f"mount it at {app.paths.shared}/{shared} instead"
            )


def refuse_other_upstream(app: App, path: str, checkout: Checkout) -> None:
    """Raise ConfigurationError when the checkout comes from another repository."""
    wanted = same_place(app.settings.upstream.url)
    if wanted in {same_place(url) for url in checkout.urls}:
        return
    urls = ", ".join(checkout.urls) or "nowhere"
    raise ConfigurationError(
        f"{path} comes from {urls}, not from upstream.url {app.settings.upstream.url}",
        f"correct upstream.url in /etc/autoupdate/apps/{app.name}.toml",
    )


def same_place(url: str) -> str:
    """Return host and path of a repository's URL, the same for all ways to reach it."""
    found = re.fullmatch(r"(?:[a-z+]+://)?(?:[^@/]*@)?([^/:]*)(?::[0-9]*)?[:/]+(.*)", url)
    host, path = found.groups() if found else ("", url)
    return f"{host.lower()}/{path.strip('/').removesuffix('.git')}"


def refuse_local_commits(app: App, path: str, taken: TakenOver, *, leave_commits: bool) -> None:
    """Raise ConfigurationError if the checkout has commits that upstream does not have."""
    if not taken.base:
        raise ConfigurationError(
            f"{path} has no commit in common with {app.settings.upstream.track} of upstream",
            "correct upstream.url or upstream.track",
        )
    if taken.local and not leave_commits:
        raise ConfigurationError(
            f"{path} has {counted(taken.local, 'commit')} that {app.settings.upstream.track} lacks;"
            f" the services would run commit {short(taken.base)}, the newest that both have",
            "push them first; or adopt without them (they are kept in the mirror, below"
            " refs/autoupdate/adopted/):"
            f" autoupdatectl adopt --leave-commits {path} {app.name}",
        )
