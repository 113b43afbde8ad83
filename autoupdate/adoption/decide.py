"""What adopt decides itself, so that it needs no settings: path, upstream, branch, services.

What a file of the administrator sets is left as it is. The rest is read from the checkout and from
the units of the host, shown, and written to a file of settings before anything is moved.
"""

import os
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from autoupdate.adoption.adoptable import same_place
from autoupdate.adoption.disable_old_updaters import replace
from autoupdate.config import load
from autoupdate.config.load import Value
from autoupdate.config.run_from import Unit, elsewhere, leads_into
from autoupdate.config.sections import Settings
from autoupdate.config.settings import REQUIRED
from autoupdate.config.values import upstream_url
from autoupdate.host.links import READ, remove_link
from autoupdate.host.unit_files import unit_files
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.paths import Paths
from autoupdate.upstream.git_environment import redact

Look = Callable[[Sequence[str]], list[Unit]]
LARGEST = 1 << 20
SECTION = re.compile(r'\s*\[\s*([A-Za-z0-9.-]+)\s*(?:"((?:[^"\\]|\\.)*)")?\s*\]')
NAME = "50-adopted.toml"


class Decision(NamedTuple):
    """Complete settings; those of them that were decided, and the file that they are written to."""

    settings: Settings
    decided: dict[str, Any]
    file: str

    def lines(self) -> list[str]:
        """Return what was decided, for people; without passwords."""
        return [f"{key} = {quoted(redact(value) if key == 'upstream.url' else value)}"
                for key, value in self.decided.items()]  # fmt: skip

    def write(self) -> None:
        """Write what was decided. Raises OSError."""
        if self.decided:
            url = self.decided.get("upstream.url", "")
            # A password in it is nobody else's business.
            replace(self.file, toml(self.decided).encode(), 0o644 if redact(url) == url else 0o600)

    def take_back(self) -> None:
        """Remove what `write` wrote."""
        if self.decided:
            remove_link(self.file)


class Checkout(NamedTuple):
    """What a checkout says of itself, read without git: its branch, and where it comes from."""

    branch: str
    url: str


def decide(paths: Paths, app: str, path: str, look: Look) -> Decision:
    """Return the settings with which a directory is adopted; `look` returns what units name.

    Raises ConfigurationError if something has to be set by hand.
    """
    load.check_name(app)
    is_new = app not in load.apps(paths)
    values = load.read(paths, app, is_new=is_new)
    decided: dict[str, Any] = {}
    if not values["path"].value:
        decided["path"] = path
    if not values["services"].value:
        found = services_of(paths, app, path, look)
        decided |= {"services": found} if found else {}
    checkout = read(path)
    if is_open(paths, values["upstream.url"]):
        known = values["upstream.url"].value
        if checkout.url and (known is REQUIRED or same_place(checkout.url) != same_place(known)):
            decided["upstream.url"] = usable(checkout.url, path, app)
    if not values["upstream.track"].origin and checkout.branch not in ("", "main"):
        decided["upstream.track"] = f"branch:{checkout.branch}"
    settings = load.build(app, values | {key: Value(item, "") for key, item in decided.items()})
    refuse_another_place(paths, settings, path, look)
    return Decision(settings, decided, file_for(paths, app))


def refuse_another_place(paths: Paths, settings: Settings, path: str, look: Look) -> None:
    """Raise ConfigurationError if the services run, but not from the directory to be adopted."""
    app, units = paths.app(settings.app), look(settings.services)
    away = elsewhere(units, path, app)
    if away and not any(leads_into(unit, path, app) for unit in units):
        service, place = next(iter(away.items()))
        raise ConfigurationError(
            f"{service} runs from {place}, not from {path}; nothing was changed",
            f"adopt {place}, or let the units of the services run from {path} first",
        )


def services_of(paths: Paths, app: str, path: str, look: Look) -> list[str]:
    """Return the services of the host whose units lead into a directory."""
    names = [name for name in unit_files(paths, ".service") if not name.endswith("@.service")]
    return sorted(unit["Name"] for unit in look(names) if leads_into(unit, path, paths.app(app)))


def is_open(paths: Paths, value: Value) -> bool:
    """Return whether no file of the administrator sets a value."""
    return not value.origin.startswith(f"{paths.etc}/")


def file_for(paths: Paths, app: str) -> str:
    """Return the file for what was decided: the administrator's own is not changed."""
    file = f"{paths.etc}/apps/{app}.toml"
    return f"{file}.d/{NAME}" if os.path.lexists(file) else file


def usable(url: str, path: str, app: str) -> str:
    """Return the URL of a remote as upstream.url has it. Raises ConfigurationError."""
    url = f"file://{url}" if url.startswith("/") else url
    try:
        return upstream_url(url)
    except ValueError as error:
        raise ConfigurationError(
            f"{path} comes from {redact(url)}, but upstream.url {error}",
            f"set upstream.url in /etc/autoupdate/apps/{app}.toml",
        ) from None


def read(path: str) -> Checkout:
    """Return what a checkout says of itself; empty values for what it does not say.

    Its files belong to others: no git, which would obey them, runs here as root.
    """
    head = content(f"{path}/.git/HEAD")
    _, is_branch, branch = head.strip().partition("ref: refs/heads/")
    sections: dict[tuple[str, str], dict[str, str]] = {}
    keys: dict[str, str] = {}
    for line in content(f"{path}/.git/config").splitlines():
        if found := SECTION.match(line):
            name = re.sub(r"\\(.)", r"\1", found[2] or "")
            keys = sections.setdefault((found[1].lower(), name), {})
            line = line[found.end() :]
        key, equals, value = line.partition("=")
        if equals:
            keys[key.strip().lower()] = unquoted(value)
    remotes = {name: keys.get("url", "") for (kind, name), keys in sections.items()
               if kind == "remote" and name}  # fmt: skip
    remote = sections.get(("branch", branch), {}).get("remote", "origin")
    only = next(iter(remotes.values())) if len(remotes) == 1 else ""
    return Checkout(branch if is_branch else "", remotes.get(remote, only))


def content(file: str) -> str:
    """Return the text of a file of another user; empty if it is not a plain one."""
    try:
        descriptor = os.open(file, READ)
    except OSError:
        return ""
    try:
        return os.read(descriptor, LARGEST).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def unquoted(value: str) -> str:
    """Return a value of a Git configuration file (git-config(1)) without quotes and comment."""
    if found := re.fullmatch(r'\s*"((?:[^"\\]|\\.)*)"\s*(?:[#;].*)?', value):
        return re.sub(r"\\(.)", r"\1", found[1])
    return re.split(r"\s[#;]", value)[0].strip()


def toml(decided: dict[str, Any]) -> str:
    """Return decided settings as a file of settings."""
    lines = ["# Written by autoupdatectl adopt; you may change it."]
    lines += [f"{key} = {quoted(item)}" for key, item in decided.items() if "." not in key]
    inner = {key: item for key, item in decided.items() if "." in key}
    if inner:
        lines += ["", "[upstream]"]
        lines += [f"{key.partition('.')[2]} = {quoted(item)}" for key, item in inner.items()]
    return "\n".join([*lines, ""])


def quoted(value: Any) -> str:
    """Return a value as TOML has it."""
    import json

    # A string of JSON is one of TOML, too, if DEL is escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
