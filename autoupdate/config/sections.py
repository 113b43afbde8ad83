"""The types of the settings: one class for each table of the file.

Named tuples, because dataclasses cost 7 ms at each start.
"""

from typing import NamedTuple


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


class Upstream(NamedTuple):
    """`[upstream]`"""

    url: str
    track: str
    submodules: tuple[str, ...]
    lfs: bool
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


class Credential(NamedTuple):
    """One `[[build.credentials]]`: the token or the key for a host, which may have a port."""

    host: str
    username: str
    token_file: str
    ssh_key: str
    known_hosts: str

    @property
    def name(self) -> str:
        """The host without its port."""
        return self.host.partition(":")[0]


class Build(NamedTuple):
    """`[build]`"""

    python: str
    installer: str
    requirements: tuple[str, ...]
    extras: tuple[str, ...]
    extra_requirements: tuple[str, ...]
    install: str
    directory: str
    editable: bool
    upgrade: str
    timeout: float
    credentials: tuple[Credential, ...] = ()


class Rehearse(NamedTuple):
    """`[rehearse]`"""

    commands: tuple[tuple[str, ...], ...]
    timeout: float
    smoke: bool
    smoke_ignore: tuple[str, ...] = ()
    services: tuple[str, ...] = ("off",)
    """Names, or one of the words `auto` and `off`."""
    time: float = 0.0
    shared: str = "empty"
    shared_max: int = 0


class Start(NamedTuple):
    """`[start]`"""

    update: bool
    if_update_fails: str
    patience: float
    fresh_for: float


class Health(NamedTuple):
    """`[health]`"""

    first: str
    soak: float
    start_timeout: float
    max_wait: float
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
