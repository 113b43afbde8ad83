"""What is wrong around the settings of an app: hooks, notification URLs, the place of metrics.

None of this stops an update that does not need it, so it is not looked at by a run; `config check`
and `doctor` name it, with the file and the key.
"""

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from autoupdate import delivery, outbox
from autoupdate.config import read
from autoupdate.hook_files import NAME, POST, PRE, HostHooks
from autoupdate.paths import Paths
from autoupdate.settings import Settings


class Fault(NamedTuple):
    """Something to put right: where it is, what is wrong, what to type or change."""

    where: str
    what: str
    advice: str


def look(
    paths: Paths, settings: Settings, url_fault: Callable[[str], str] = delivery.fault
) -> list[Fault]:
    """Return everything that is wrong, in the order of the documentation."""
    return [
        *_hooks(paths, settings.app),
        *_urls(paths, settings, url_fault),
        *_metrics(paths, settings),
    ]


def _hooks(paths: Paths, app: str) -> Iterator[Fault]:
    directory = paths.hooks(app)
    owner = os.geteuid() if paths.root else 0
    hooks = HostHooks(directory, top=paths.root or "/", owner=owner)
    for stage in (PRE, POST):
        for hook in hooks.find(stage):
            if fault := hooks.fault(hook):
                stops = "every update is stopped" if stage == PRE else "it does not run"
                yield Fault(hook, f"{stops}: {fault}", f"mend it, or move it away: {hook}")
        for name in _names(f"{directory}/{stage}"):
            hook = f"{directory}/{stage}/{name}"
            if not NAME.fullmatch(name) and os.access(hook, os.X_OK) and os.path.isfile(hook):
                what = "it does not run: its name has more than letters, digits, _ and -"
                yield Fault(hook, what, f"mv {hook} {directory}/{stage}/{name.partition('.')[0]}")
    for name in _names(directory):
        if name not in (PRE, POST):
            what = f"nothing here runs: hooks lie in {PRE} and {POST}"
            yield Fault(f"{directory}/{name}", what, "rename it, or move it away")


def _urls(paths: Paths, settings: Settings, url_fault: Callable[[str], str]) -> Iterator[Fault]:
    urls = settings.notify.urls
    if not urls:
        return
    origin = read(paths, settings.app)["notify.urls"].origin
    for target, url in outbox.targets(urls).items():
        fault = url_fault(url)
        if fault:
            yield Fault(f"{origin}: notify.urls", f"{target} {fault}", "no other one is concerned")
    if os.path.exists(origin) and os.stat(origin).st_mode & 0o004:
        what = "everybody can read this file, and with it the secrets in notify.urls"
        yield Fault(origin, what, f"chmod o-r {origin}")


def _metrics(paths: Paths, settings: Settings) -> Iterator[Fault]:
    directory = settings.metrics.textfile
    if directory and not os.path.isdir(directory):
        origin = read(paths, settings.app)["metrics.textfile"].origin
        what = f"{directory} is no directory; no metrics are written"
        yield Fault(f"{origin}: metrics.textfile", what, f"mkdir -p {directory}")


def _names(directory: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(directory) if not name.startswith("."))
    except OSError:
        return []
