"""The settings: what each one means, its default, and the types that the code works with.

`SETTINGS` is the one definition; the checks, the man page and `config show` come from it.
Value types here and elsewhere are named tuples, not dataclasses: those cost 7 ms at each start.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

Check = Callable[[Any], Any]

UNIT_SECONDS = {
    "": 1.0, "ms": 0.001, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
    "w": 604800.0, "week": 604800.0, "weeks": 604800.0,
}  # fmt: skip


def text(value: Any) -> str:
    """Accept a string without control characters."""
    if not isinstance(value, str):
        raise ValueError("must be a string")
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise ValueError("must not contain control characters")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """Accept a list of strings."""
    if not isinstance(value, list):
        raise ValueError('must be a list of strings, such as ["a", "b"]')
    return tuple(text(item) for item in value)


def commands(value: Any) -> tuple[tuple[str, ...], ...]:
    """Accept a list of commands, each a non-empty list of words."""
    if not isinstance(value, list) or not all(isinstance(item, list) and item for item in value):
        raise ValueError('must be a list of lists of words, such as [["{python}", "-m", "app"]]')
    return tuple(texts(item) for item in value)


def boolean(value: Any) -> bool:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def count(value: Any) -> int:
    """Accept a whole number of at least one."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("must be a whole number of at least 1")
    return value


def duration(value: Any) -> float:
    """Accept a time span such as "90s", "5min" or "1h 30min" (systemd.time(7)); give seconds."""
    words = re.findall(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", value) if isinstance(value, str) else []
    rest = re.sub(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", "", value) if words else "none"
    if not words or rest.strip() or any(unit not in UNIT_SECONDS for _, unit in words):
        raise ValueError('must be a time span such as "90s", "5min" or "1h 30min"')
    return sum(float(number) * UNIT_SECONDS[unit] for number, unit in words)


def limit(value: Any) -> float:
    """Accept a time span of more than nothing; give seconds."""
    seconds = duration(value)
    if seconds <= 0:
        raise ValueError("must be more than 0s")
    return seconds


def share(value: Any) -> float:
    """Accept a percentage such as "25%"; give a fraction of one."""
    match = (
        re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]+)?)\s*%", value) if isinstance(value, str) else None
    )
    if match is None or float(match[1]) > 100:
        raise ValueError('must be a percentage such as "25%"')
    return float(match[1]) / 100


def absolute_path(value: Any) -> str:
    """Accept an absolute path without "." or ".." in it; a slash at its end is dropped."""
    path = text(value)
    if not path.startswith("/"):
        raise ValueError("must be an absolute path")
    parts = path.rstrip("/").split("/")[1:]
    if not parts or any(part in ("", ".", "..") for part in parts):
        raise ValueError('must name a place below /, without "." or ".." or "//" in it')
    return path.rstrip("/")


def relative_path(value: Any) -> str:
    """Accept a path inside the release that cannot leave it, nor mean .git or .venv."""
    path = text(value).rstrip("/")
    parts = path.split("/")
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise ValueError('must be a path inside the release, without "." or ".." in it')
    if parts[0] in (".git", ".venv"):
        raise ValueError(f"{parts[0]} belongs to the release itself")
    return path


def relative_paths(value: Any) -> tuple[str, ...]:
    """Accept a list of paths inside the release, none of them inside another."""
    paths = tuple(relative_path(item) for item in texts(value))
    for path in paths:
        if paths.count(path) > 1 or any(path.startswith(f"{other}/") for other in paths):
            raise ValueError(f"{path} is named twice, or lies in another path of the list")
    return paths


def service_names(value: Any) -> tuple[str, ...]:
    """Accept a list of names of service units (systemd.unit(5))."""
    names = texts(value)
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*\.service", name):
            raise ValueError(f'"{name}" is no name of a service unit, such as "app.service"')
    return names


def upstream_url(value: Any) -> str:
    """Accept a URL that Git can fetch from, or the short form user@host:path of SSH."""
    url = text(value)
    known = re.match(r"(https?|ssh|git|file)://.", url)
    if not known and not re.match(
        r"[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^:]", url
    ):
        raise ValueError("must be an https, http, ssh, git or file URL, or user@host:path")
    return url


def track(value: Any) -> str:
    """Accept branch:NAME, tag:GLOB, semver:RANGE or commit:SHA."""
    kind, _, rest = text(value).partition(":")
    if kind not in ("branch", "tag", "semver", "commit") or not rest.strip():
        raise ValueError("must be branch:NAME, tag:GLOB, semver:RANGE or commit:SHA")
    if kind == "commit" and not re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", rest):
        raise ValueError("a commit must be given by its full hexadecimal name")
    # git-check-ref-format(1): what no branch can be called.
    bad = r"\.\.|[\s~^:?*\[\\]|@\{|//|^[-/.]|[/.]$|\.lock(/|$)|/\.|^@$"
    if kind == "branch" and re.search(bad, rest):
        raise ValueError(f'"{rest}" cannot be the name of a branch')
    return f"{kind}:{rest}"


def http_url(value: Any) -> str:
    """Accept an http or https URL with a host."""
    from urllib.parse import urlsplit

    url = text(value)
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError('must be a URL such as "http://127.0.0.1:9000/health"')
    return url


def address(value: Any) -> str:
    """Accept HOST:PORT."""
    match = re.fullmatch(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", text(value))
    if match is None or not 0 < int(match[1]) < 65536:
        raise ValueError('must be HOST:PORT, such as "127.0.0.1:9000"')
    return str(value)


def pattern(value: Any) -> str:
    """Accept a regular expression of Python's re."""
    try:
        re.compile(text(value))
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return str(value)


def whole(value: Any) -> int:
    """Accept a whole number, zero included."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("must be a whole number, not negative")
    return value


def one_of(*words: str) -> Check:
    """Make a check that accepts one of some words."""

    def check(value: Any) -> str:
        if value not in words:
            raise ValueError("must be " + " or ".join(f'"{word}"' for word in words))
        return str(value)

    return check


class Setting(NamedTuple):
    """One setting: its key, how its value is checked, its default as TOML has it, its meaning."""

    key: str
    check: Check
    default: Any
    meaning: str


class Required:
    """Stands for a default where there is none."""


REQUIRED = Required()


class Probe(NamedTuple):
    """One `[[health.probe]]`; time spans in seconds."""

    type: str
    service: str
    url: str
    expect_status: int
    expect_body: str
    verify_tls: bool
    address: str
    command: tuple[str, ...]
    interval: float
    timeout: float
    retries: int
    grace: float


PROBE_SETTINGS = (
    Setting("type", one_of("http", "tcp", "command"), REQUIRED, "What kind of probe this is."),
    Setting("service", text, "",
            "The service that is probed; the probe is left out while that does not run."),
    Setting("url", http_url, "", "http: the page to get."),
    Setting("expect_status", count, 200, "http: the status that is expected."),
    Setting("expect_body", pattern, "", "http: a regular expression that must match in the page."),
    Setting("verify_tls", boolean, True, "http: false accepts a self-signed certificate."),
    Setting("address", address, "", "tcp: HOST:PORT to connect to."),
    Setting("command", texts, [],
            "command: words of a command, run as the service's user in the release;"
            " {python} and {release} are replaced."),
    Setting("interval", limit, "2s", "How often the probe is tried."),
    Setting("timeout", limit, "5s", "How long one try may take."),
    Setting("retries", whole, 2, "How many tries in a row may fail before it counts."),
    Setting("grace", duration, "10s", "How long after the start failures do not count."),
)  # fmt: skip
# What a probe of each type cannot do without.
NEEDED = {"http": "url", "tcp": "address", "command": "command"}


def probes(value: Any) -> tuple[Probe, ...]:
    """Accept a list of tables, each a health probe."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError("must be written as [[health.probe]] tables")
    return tuple(_probe(number, item) for number, item in enumerate(value, start=1))


def _probe(number: int, table: dict[str, Any]) -> Probe:
    known = {setting.key: setting for setting in PROBE_SETTINGS}
    for key in table:
        if key not in known:
            raise ValueError(
                f"number {number} has an unknown key {key!r}; known: {', '.join(known)}"
            )
    checked = {}
    for key, setting in known.items():
        value = table.get(key, setting.default)
        if value is REQUIRED:
            raise ValueError(f"number {number} has no {key}")
        try:
            # The empty default of a key that this type does not need is no value to check.
            checked[key] = setting.check(value) if key in table or value else type(value)()
        except ValueError as error:
            raise ValueError(f"number {number}: {key} {error}") from None
    if not checked[NEEDED[checked["type"]]]:
        raise ValueError(f"number {number} is of type {checked['type']} and has no"
                         f" {NEEDED[checked['type']]}")  # fmt: skip
    return Probe(**{**checked, "command": tuple(checked["command"])})


SETTINGS = (
    Setting("path", absolute_path, REQUIRED,
            "Where the services look for the app: becomes a symbolic link to the current release."),
    Setting("services", service_names, [],
            "Units that run the app; those that run are restarted by an update."),
    Setting("shared", relative_paths, [],
            "Paths that outlive a release; linked into each, seeded once from the repository."),
    Setting("shared_snapshot", relative_paths, [],
            "Patterns of shared files, such as state/*.duckdb, that are copied before a switch and"
            " put back by a roll back; the services are stopped meanwhile."),
    Setting("keep", count, 3, "Releases kept; the current and the previous one always are."),
    Setting("upstream.url", upstream_url, REQUIRED, "The Git repository to follow."),
    Setting("upstream.track", track, "branch:main",
            "What to follow there: branch:NAME, tag:GLOB (highest version), semver:RANGE"
            " or commit:SHA."),
    Setting("upstream.submodules", relative_paths, [], "Paths of the submodules to fetch."),
    Setting("upstream.allow_rewrite", boolean, False,
            "Take a commit that does not descend from the deployed one."),
    Setting("upstream.timeout", limit, "5min", "Limit for one exchange with upstream."),
    Setting("trust.signatures", one_of("off", "warn", "enforce"), "off",
            "What an unsigned or wrongly signed candidate means."),
    Setting("trust.on", one_of("commit", "tag", "both"), "commit", "Whose signature counts."),
    Setting("guard.max_deleted", share, "25%",
            "Share of the tracked files that one update may delete."),
    Setting("guard.required", relative_paths, [], "Paths that a candidate must have."),
    Setting("guard.min_age", duration, "0s", "A younger commit waits."),
    Setting("guard.settle", duration, "0s", "The tip must have been still for this long."),
    Setting("build.python", absolute_path, "/usr/bin/python3",
            "The interpreter of the virtual environments."),
    Setting("build.installer", one_of("auto", "uv", "pip"), "auto",
            "What installs packages; auto takes uv where it is found, or else pip."),
    Setting("build.requirements", relative_paths, ["requirements.txt"],
            "Requirements files; the default one may be missing in the repository."),
    Setting("build.extras", texts, [], "Extras of the app to install."),
    Setting("build.extra_requirements", texts, [],
            'Further requirements, such as "hypercorn[trio]".'),
    Setting("build.editable", boolean, True, "Install the app editable, from its release."),
    Setting("build.timeout", limit, "30min", "Limit for one build."),
    Setting("rehearse.commands", commands, [],
            "Commands that must succeed in the new release before it is activated;"
            " {python} and {release} are replaced."),
    Setting("rehearse.timeout", limit, "5min", "Limit for all of these commands."),
    Setting("start.update", boolean, True,
            "Update before a service starts; false: only finish or undo an interrupted run."),
    Setting("start.if_update_fails", one_of("block", "start"), "block",
            "block: the service stays down; start: it starts on the last good release."),
    Setting("start.fresh_for", duration, "60s",
            "A check of upstream this young is good enough for a start."),
    Setting("health.soak", duration, "30s", "How long restarted services are watched."),
    Setting("health.start_timeout", limit, "90s",
            "How long a restarted service may take until it is active."),
    Setting("health.probe", probes, [], "Probes of the services' health."),
    Setting("windows.allowed", texts, [],
            'When releases may be switched, such as "Mon..Fri 02:00-05:00 Europe/Berlin";'
            " empty: always."),
    Setting("notify.urls", texts, [], "Apprise URLs that are told of events."),
    Setting("notify.events", texts, ["updated", "failed", "rolled-back", "recovered", "stale"],
            "Events that are told."),
    Setting("notify.stale_after", duration, "7d", "Without success for this long is an event."),
    Setting("metrics.textfile", text, "",
            "Directory of node_exporter's textfile collector; empty: no metrics."),
)  # fmt: skip

# Refused until they do something: a guard that is ignored is worse than none.
NOT_YET = frozenset({
    "upstream.submodules", "upstream.allow_rewrite", "trust.signatures", "trust.on",
    "guard.max_deleted", "guard.required", "guard.min_age", "guard.settle",
    "rehearse.commands", "rehearse.timeout", "windows.allowed",
    "notify.urls", "notify.events", "notify.stale_after", "metrics.textfile",
})  # fmt: skip


class Upstream(NamedTuple):
    """`[upstream]`"""

    url: str
    track: str
    submodules: tuple[str, ...]
    allow_rewrite: bool
    timeout: float


class Trust(NamedTuple):
    """`[trust]`"""

    signatures: str
    on: str


class Guard(NamedTuple):
    """`[guard]`"""

    max_deleted: float
    required: tuple[str, ...]
    min_age: float
    settle: float


class Build(NamedTuple):
    """`[build]`"""

    python: str
    installer: str
    requirements: tuple[str, ...]
    extras: tuple[str, ...]
    extra_requirements: tuple[str, ...]
    editable: bool
    timeout: float


class Rehearse(NamedTuple):
    """`[rehearse]`"""

    commands: tuple[tuple[str, ...], ...]
    timeout: float


class Start(NamedTuple):
    """`[start]`"""

    update: bool
    if_update_fails: str
    fresh_for: float


class Health(NamedTuple):
    """`[health]`"""

    soak: float
    start_timeout: float
    probe: tuple[Probe, ...]


class Windows(NamedTuple):
    """`[windows]`"""

    allowed: tuple[str, ...]


class Notify(NamedTuple):
    """`[notify]`"""

    urls: tuple[str, ...]
    events: tuple[str, ...]
    stale_after: float


class Metrics(NamedTuple):
    """`[metrics]`"""

    textfile: str


class Settings(NamedTuple):
    """All settings of one app, checked; time spans in seconds, shares as fractions of one."""

    app: str
    path: str
    services: tuple[str, ...]
    shared: tuple[str, ...]
    shared_snapshot: tuple[str, ...]
    keep: int
    upstream: Upstream
    trust: Trust
    guard: Guard
    build: Build
    rehearse: Rehearse
    start: Start
    health: Health
    windows: Windows
    notify: Notify
    metrics: Metrics
