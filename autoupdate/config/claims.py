"""What each app of this host uses alone: no two may have the same path or service."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress

from autoupdate.config import on_host
from autoupdate.config.load import Value, apps, bases, is_name, origins, places, read
from autoupdate.config.on_host import Claim
from autoupdate.model.errors import AutoupdateError
from autoupdate.model.paths import Paths

# Of an app that may not be read as a whole: its path, if it is written in the usual way.
PATH = re.compile(r"""^\s*path\s*=\s*["']([^"'\\]+)["']\s*(?:#.*)?$""", re.MULTILINE)


def refuse_conflicts(paths: Paths, app: str, values: Mapping[str, Value]) -> None:
    """Raise ConfigurationError if another app has the same path or one of the same services."""
    for fault in on_host.conflicts(app, around(paths, app, values), origins(values)):
        raise fault


def around(paths: Paths, app: str, values: Mapping[str, Value]) -> dict[str, Claim]:
    """Return what an app and those that may have something in common with it use alone."""
    own = claim_of(paths, app, values)
    return {**claims(paths, own), app: own}


def claims(paths: Paths, concerning: Claim | None = None) -> dict[str, Claim]:
    """Return what each app uses alone, as far as its settings can be read.

    With `concerning`, apps are left out that cannot have anything in common with it.
    """
    found = {}
    for app in filter(is_name, apps(paths)):
        if concerning and not may_share(paths, app, concerning):
            continue
        with suppress(AutoupdateError):
            merged = read(paths, app, lambda _: None)
            path, services = merged["path"].value, merged["services"].value
            if isinstance(path, str) and isinstance(services, list):
                found[app] = claim_of(paths, app, merged)
    return found


def claim_of(paths: Paths, app: str, values: Mapping[str, Value]) -> Claim:
    """Return what an app uses alone by these values."""
    return Claim(
        values["path"].value.rstrip("/"),
        tuple(name for name in values["services"].value if isinstance(name, str)),
        os.path.lexists(paths.app(app).current),
    )


def may_share(paths: Paths, app: str, claim: Claim) -> bool:
    """Return whether an app may have a path or service of a claim, by the text of its files.

    To parse the files of a thousand apps would take seconds.
    """
    text = "\n".join(text_of(file) for base in bases(paths, app)[1::2] for file in places(base))
    if "\\" in text or "services" not in text or any(name in text for name in claim.services):
        return True
    named = [path.rstrip("/") for path in PATH.findall(text)]
    if len(named) != len(re.findall(r"^\s*path\b", text, re.MULTILINE)) or not named:
        return True
    lies_in, own = on_host.lies_in, claim.path
    return any(lies_in(path, own) or lies_in(own, path) for path in named)


def text_of(file: str) -> str:
    """Return the text of a file of settings; nothing if it is none, or cannot be read."""
    if not os.path.isfile(file):
        return ""
    with suppress(OSError), open(file, encoding="utf-8", errors="replace") as stream:
        return stream.read()
    return ""
