"""The settings: what each one means, its default, and the types that the code works with.

`SETTINGS` is the one definition; the checks, the man page and `config show` come from it.
Value types here and elsewhere are named tuples, not dataclasses: those cost 7 ms at each start.
"""

from typing import Any, NamedTuple

from autoupdate.config.values import (
    Check,
    absolute_path,
    address,
    boolean,
    commands,
    count,
    duration,
    each_of,
    fingerprints,
    http_url,
    limit,
    one_of,
    optional_duration,
    optional_path,
    pattern,
    proxy_url,
    relative_paths,
    secret_file,
    service_names,
    share,
    size,
    text,
    texts,
    track,
    upstream_url,
    whole,
)

# What `notify.events` may name.
TOLD = (
    "updated", "failed", "rolled-back", "recovered", "stale", "blocked", "quarantined",
    "held-too-long", "refused", "unsigned", "untrusted",
)  # fmt: skip


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
    Setting("upstream.username", text, "",
            "User for a token of http or https, where upstream looks at it."),
    Setting("upstream.token_file", secret_file, "",
            "File, root's and of mode 0600, with the token or password for http or https; or"
            " credential:NAME, one of systemd's."),
    Setting("upstream.ssh_key", secret_file, "", "File with the private key for ssh, likewise."),
    Setting("upstream.known_hosts", secret_file, "",
            "File with the host keys of an ssh upstream; no other key is accepted then."),
    Setting("upstream.ca_file", secret_file, "",
            "File with the certificates that sign upstream's; no other is accepted then."),
    Setting("upstream.proxy", proxy_url, "", "Proxy for http and https, such as http://HOST:PORT."),
    Setting("upstream.timeout", limit, "5min", "Limit for one exchange with upstream."),
    Setting("trust.signatures", one_of("off", "warn", "enforce"), "off",
            "What an unsigned or wrongly signed candidate means."),
    Setting("trust.on", one_of("commit", "tag", "both"), "commit", "Whose signature counts."),
    Setting("trust.fingerprints", fingerprints, [],
            "Of the trusted keys, those that count; empty: all of them."),
    Setting("guard.max_deleted", share, "25%",
            "Share of the tracked files that one update may delete."),
    Setting("guard.max_changed", share, "100%",
            "Share of the tracked files that one update may delete or change."),
    Setting("guard.required", relative_paths, [], "Paths that a candidate must have."),
    Setting("guard.forbidden", relative_paths, [], "Paths that a candidate must not have."),
    Setting("guard.outside_links", relative_paths, [],
            "Symbolic links of the repository that may lead out of the release."),
    Setting("guard.min_age", duration, "0s",
            "A commit waits until it is this old, by its date and since it was first seen here."),
    Setting("guard.settle", duration, "0s",
            "The tip must have been still for this long, by its date and as seen here."),
    Setting("guard.max_fetch", size, "4GiB", "The most that one fetch may download."),
    Setting("guard.max_release", size, "8GiB",
            "The most that a commit's files may take, in whole blocks of 4 KiB."),
    Setting("build.python", absolute_path, "/usr/bin/python3",
            "The interpreter of the virtual environments."),
    Setting("build.installer", one_of("auto", "uv", "pip"), "auto",
            "What installs packages; auto takes uv, found or fetched, or else pip."),
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
    Setting("rehearse.smoke", boolean, True,
            "Import each console script of the app in the new release, too."),
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
    Setting("windows.deadline", optional_duration, "",
            "A candidate that has waited for this long is an event; empty: never."),
    Setting("hooks.timeout", limit, "5min",
            "Limit for all hooks before a switch together, and for all after it."),
    Setting("notify.urls", texts, [], "Apprise URLs that are told of events."),
    Setting("notify.events", each_of(*TOLD),
            ["updated", "failed", "rolled-back", "recovered", "stale", "refused", "untrusted"],
            "Events that are told."),
    Setting("notify.stale_after", duration, "7d", "Without success for this long is an event."),
    Setting("metrics.textfile", optional_path, "",
            "Directory of node_exporter's textfile collector; empty: no metrics."),
)  # fmt: skip


class Upstream(NamedTuple):
    """`[upstream]`"""

    url: str
    track: str
    submodules: tuple[str, ...]
    allow_rewrite: bool
    username: str
    token_file: str
    ssh_key: str
    known_hosts: str
    ca_file: str
    proxy: str
    timeout: float


class Trust(NamedTuple):
    """`[trust]`"""

    signatures: str
    on: str
    fingerprints: tuple[str, ...]


class Guard(NamedTuple):
    """`[guard]`"""

    max_deleted: float
    max_changed: float
    required: tuple[str, ...]
    forbidden: tuple[str, ...]
    outside_links: tuple[str, ...]
    min_age: float
    settle: float
    max_fetch: int
    max_release: int


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
    smoke: bool


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
    deadline: float


class Hooks(NamedTuple):
    """`[hooks]`"""

    timeout: float


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
    hooks: Hooks
    notify: Notify
    metrics: Metrics
    files: tuple[str, ...] = ()
    """The files and directories that these settings come from, also those that are missing."""
