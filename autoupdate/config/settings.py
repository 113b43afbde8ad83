"""The settings: what each one means, its default, and the types that the code works with.

`SETTINGS` is the only definition; the checks, the manual page and `config show` use it.
Value types here and elsewhere are named tuples, because dataclasses cost 7 ms at each start.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from autoupdate.config.sections import Credential, Probe
from autoupdate.config.values import (
    Check,
    absolute_path,
    address,
    boolean,
    commands,
    count,
    credential_host,
    duration,
    duration_or_off,
    each_of,
    fingerprints,
    http_url,
    limit,
    link_patterns,
    nested_paths,
    one_of,
    optional_duration,
    optional_path,
    optional_relative_path,
    optional_service,
    pattern,
    proxy_url,
    rehearsed_services,
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
    """Marks a setting that has no default and must be set."""


REQUIRED = Required()


PROBE_SETTINGS = (
    Setting("type", one_of("http", "tcp", "command"), REQUIRED, "Type of the probe."),
    Setting("service", text, "",
            "Service that the probe is for. The probe is skipped while that service is not"
            " running."),
    Setting("url", http_url, "", "For http: URL to request."),
    Setting("expect_status", count, 200, "For http: expected status code."),
    Setting("expect_body", pattern, "",
            "For http: regular expression that must match somewhere in the answer."),
    Setting("verify_tls", boolean, True, "For http: `false` accepts any certificate."),
    Setting("address", address, "", "For tcp: HOST:PORT to connect to."),
    Setting("command", texts, [],
            "For command: program and arguments, run in the release as the service's user."
            " `{python}` stands for the release's interpreter, `{release}` for its directory."),
    Setting("interval", limit, "2s", "Time between two tries."),
    Setting("timeout", limit, "5s", "Time limit for one try."),
    Setting("retries", whole, 2, "Number of failures in a row that are tolerated."),
    Setting("grace", duration, "10s",
            "Failures within this time after the start are ignored, until the first success."),
)  # fmt: skip
# The key that each type of probe needs.
NEEDED = {"http": "url", "tcp": "address", "command": "command"}


def probes(value: Any) -> tuple[Probe, ...]:
    """Accept a list of tables, each a health probe."""
    return tuple(_probe(number, item) for number, item in _tables(value, "health.probe"))


def _tables(value: Any, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the tables of a list, with their numbers."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError(f"must be written as [[{key}]] tables")
    return enumerate(value, start=1)


def _checked(number: int, table: dict[str, Any], settings: Sequence[Setting]) -> dict[str, Any]:
    """Return the checked values of one table of a list; those that are not set have defaults."""
    known = {setting.key: setting for setting in settings}
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
            # The default of a key that this type does not use is empty, and would not pass.
            checked[key] = setting.check(value) if key in table or value else type(value)()
        except ValueError as error:
            raise ValueError(f"number {number}: {key} {error}") from None
    return checked


def _probe(number: int, table: dict[str, Any]) -> Probe:
    checked = _checked(number, table, PROBE_SETTINGS)
    if not checked[NEEDED[checked["type"]]]:
        raise ValueError(f"number {number} is of type {checked['type']} and has no"
                         f" {NEEDED[checked['type']]}")  # fmt: skip
    return Probe(**{**checked, "command": tuple(checked["command"])})


CREDENTIAL_SETTINGS = (
    Setting("host", credential_host, REQUIRED,
            "Host that gets it, as HOST or HOST:PORT. git compares the port, too; pip, uv and ssh"
            " look at the name alone."),
    Setting("username", text, "",
            "User name for the token. If it is not set: __token__ for package indexes,"
            " x-access-token for git."),
    Setting("token_file", secret_file, "",
            "File with the token or password, for package indexes and Git repositories over https"
            " and http. It must belong to root and have mode 0600. `credential:NAME` means a"
            " systemd credential."),
    Setting("ssh_key", secret_file, "",
            "File with the private key, for Git repositories over SSH. The rules are those of"
            " token_file."),
    Setting("known_hosts", secret_file, "",
            "With ssh_key: file with the SSH host keys of the host. If it is set, no other key is"
            " accepted."),
)  # fmt: skip


def credentials(value: Any) -> tuple[Credential, ...]:
    """Accept a list of tables, each what one host is shown."""
    found: list[Credential] = []
    for number, table in _tables(value, "build.credentials"):
        item = Credential(**_checked(number, table, CREDENTIAL_SETTINGS))
        if bool(item.token_file) is bool(item.ssh_key):
            raise ValueError(f"number {number} needs either token_file or ssh_key")
        for key in ("username",) if item.ssh_key else ("known_hosts",):
            if getattr(item, key):
                other = "token_file" if item.ssh_key else "ssh_key"
                raise ValueError(f"number {number}: {key} belongs to {other}")
        same = [other for other in found if (other.name, not other.ssh_key)
                == (item.name, not item.ssh_key)]  # fmt: skip
        if same:
            what = "ssh_key" if item.ssh_key else "token_file"
            raise ValueError(f"number {number}: host {item.name} has a {what} already")
        found.append(item)
    return tuple(found)


SETTINGS = (
    Setting("path", optional_path, "",
            "Where the services look for the app. It becomes a symbolic link to the current"
            " release. If it is not set: the directory that the services run from, if their units"
            " agree on one; otherwise, for the default app, /opt/ipfs_accelerate_py."),
    Setting("services", service_names, [],
            "Service units that run the app. An update restarts those that are running."),
    Setting("shared", relative_paths, [],
            "Files and directories that outlive a release. Each release gets links to them. Their"
            " initial content is copied from the repository."),
    Setting("shared_snapshot", relative_paths, [],
            "Patterns of shared files, such as state/*.duckdb, that are copied before a switch and"
            " restored by a rollback. The services are stopped while they are copied."),
    Setting("keep", count, 3,
            "Number of releases to keep. The current and the previous one are always kept."),
    Setting("upstream.url", upstream_url, REQUIRED,
            "Git repository to follow: an https, http, ssh, git or file URL, or user@host:path."),
    Setting("upstream.track", track, "branch:main",
            "What to follow: branch:NAME, tag:GLOB (the highest version), semver:RANGE or"
            " commit:SHA."),
    Setting("upstream.submodules", nested_paths, [],
            "Paths of the submodules to fetch. All others are left empty, also submodules of these"
            " submodules: add their whole paths."),
    Setting("upstream.lfs", boolean, False,
            "Fetch the files that upstream stores in Git LFS; needs the package git-lfs. Without"
            " this, a commit that has such files is refused."),
    Setting("upstream.allow_rewrite", boolean, False,
            "Accept commits that do not descend from the newest confirmed one."),
    Setting("upstream.username", text, "",
            "User name for the token, if the upstream server checks it."),
    Setting("upstream.token_file", secret_file, "",
            "File with the token or password for http and https. It must belong to root and have"
            " mode 0600. `credential:NAME` means a systemd credential."),
    Setting("upstream.ssh_key", secret_file, "",
            "File with the private key for SSH. The rules are those of token_file."),
    Setting("upstream.known_hosts", secret_file, "",
            "File with the SSH host keys of upstream. If it is set, no other key is accepted."),
    Setting("upstream.ca_file", secret_file, "",
            "File with the CA certificates for upstream. If it is set, no other CA is accepted."),
    Setting("upstream.proxy", proxy_url, "", "Proxy for http and https, such as http://HOST:PORT."),
    Setting("upstream.timeout", limit, "5min", "Time limit for one exchange with upstream."
            " The first fetch of an app may take six times as long, and so may a fetch from"
            " Git LFS."),
    Setting("trust.signatures", one_of("off", "warn", "enforce"), "off",
            "Whether a commit needs a good signature by a trusted key. `off`: it is not checked;"
            " `warn`: a commit without one is accepted with a warning; `enforce`: it is refused."),
    Setting("trust.on", one_of("commit", "tag", "both"), "commit",
            "What must be signed: the commit, the tag, or both."),
    Setting("trust.fingerprints", fingerprints, [],
            "Accept only these of the trusted keys; empty: all of them."),
    Setting("guard.max_deleted", share, "25%",
            "Largest share of the deployed files that one update may delete."),
    Setting("guard.max_changed", share, "100%",
            "Largest share of the deployed files that one update may delete or change."),
    Setting("guard.required", relative_paths, [], "Paths that a commit must contain."),
    Setting("guard.forbidden", relative_paths, [], "Paths that a commit must not contain."),
    Setting("guard.outside_links", link_patterns, [],
            "Symbolic links in the repository that may lead out of the release: exact paths,"
            " directories (all links below them), or globs. In a glob, `*` and `?` do not match a"
            " slash, and `**` stands for any number of directories."),
    Setting("guard.min_age", duration, "0s",
            "Minimum age of a commit, both by its date and since this host first saw it."),
    Setting("guard.settle", duration, "0s",
            "The branch must not have moved for this long, both by the date of its newest commit"
            " and as this host saw it."),
    Setting("guard.max_fetch", size, "4GiB", "Most that one fetch may download."),
    Setting("guard.max_release", size, "8GiB",
            "Most disk space that a commit's files may take, in blocks of 4 KiB."),
    Setting("build.python", absolute_path, "/usr/bin/python3",
            "Python interpreter for the virtual environments."),
    Setting("build.installer", one_of("auto", "uv", "pip"), "auto",
            "Program that installs packages. `auto`: uv if it is installed or can be downloaded,"
            " otherwise pip."),
    Setting("build.requirements", relative_paths, ["requirements.txt"],
            "Requirements files in the repository. The default one may be missing."),
    Setting("build.extras", texts, [], "Extras of the app to install."),
    Setting("build.extra_requirements", texts, [],
            'More packages to install, such as "hypercorn[trio]".'),
    Setting("build.install", one_of("auto", "editable", "wheel", "none"), "auto",
            "How the app itself is installed. `auto`: as build.editable says if it is a package,"
            " and not at all if it is not; `editable`: from its release; `wheel`: as a copy;"
            " `none`: only requirements are installed."),
    Setting("build.directory", optional_relative_path, "",
            "Directory of the package in the repository; empty: the top. build.requirements are"
            " relative to the top in any case."),
    Setting("build.editable", boolean, True,
            'For build.install = "auto": install the app in editable mode, from its release.'),
    Setting("build.upgrade", one_of("needed", "newest"), "needed",
            "Which versions are installed when requirements change. `needed`: what is installed"
            " stays if it still fits; `newest`: the newest that fit. Lock files come first."),
    Setting("build.timeout", limit, "30min", "Time limit for one build."),
    Setting("build.credentials", credentials, [],
            "Tokens and keys for private package indexes and Git dependencies, see below."),
    Setting("rehearse.commands", commands, [],
            "Commands that must succeed in the new release before the switch. `{python}` stands for"
            " the release's interpreter, `{release}` for its directory."),
    Setting("rehearse.timeout", limit, "5min",
            "Time limit for these commands and the imports of rehearse.smoke together."),
    Setting("rehearse.smoke", boolean, True,
            "Import each console script of the app in the new release. One that cannot be imported"
            " fails the update if the deployed release can import it, or if the unit of a service"
            " starts it; otherwise it is a warning."),
    Setting("rehearse.smoke_ignore", texts, [],
            "Names of console scripts that may fail to import, as nobody uses them on this host."),
    Setting("rehearse.services", rehearsed_services, "auto",
            "Services that are started from the new release in parallel with those that run, in a"
            " sandbox without a network, before the switch. `auto`: those that an update would"
            " restart; a list: these; `off`: none. A service that fails there is held against the"
            " commit only if the deployed release does not fail in the same sandbox."),
    Setting("rehearse.time", limit, "20s",
            "How long these services are watched after they are up; the update takes so much"
            " longer, while production runs."),
    Setting("rehearse.shared", one_of("copy", "empty"), "copy",
            "What these services find in the shared paths: a copy, which is removed afterwards, or"
            " nothing."),
    Setting("rehearse.shared_max", size, "256MiB",
            "If the shared paths are larger than this, they are empty in a rehearsal."),
    Setting("start.update", boolean, True,
            "Update before a service starts. `false`: only finish or undo an interrupted run."),
    Setting("start.if_update_fails", one_of("block", "start"), "block",
            "What a service does when the update before its start failed. `block`: it does not"
            " start; `start`: it starts on the last good release."),
    Setting("start.patience", duration_or_off, "off",
            "With `block`: how long services stay down because a server (upstream, a package index)"
            " is out of reach, counted from the first start that was refused. Then they start on"
            " the last good release. `off`: they stay down until the server works."),
    Setting("start.fresh_for", duration, "60s",
            "A service starts without a new check of upstream if the last one is not older than"
            " this."),
    Setting("health.first", optional_service, "",
            "One of `services` that is restarted alone and watched for the soak time before the"
            " others are restarted; if it does not run well, these keep running on the old release."
            " Empty: all at once. Not with shared_snapshot, for which all are stopped."),
    Setting("health.soak", duration, "30s", "How long services are watched after their restart."),
    Setting("health.start_timeout", limit, "90s",
            "How long a restarted service may take to become active after the previous one has"
            " stopped; longer if its unit sets a longer TimeoutStartSec=. Its stop has the time of"
            " TimeoutStopSec=."),
    Setting("health.max_wait", limit, "15min",
            "Most that is waited for one stop or one start, even if the unit allows more, such as"
            " infinity."),
    Setting("health.probe", probes, [], "Health probes of the services, see below."),
    Setting("windows.allowed", texts, [],
            'When releases may be switched, such as "Mon..Fri 02:00-05:00 Europe/Berlin";'
            " empty: at any time."),
    Setting("windows.deadline", optional_duration, "",
            "Report the event held-too-long when this host is behind upstream for longer than"
            " this."),
    Setting("hooks.timeout", limit, "5min",
            "Time limit for all pre-update hooks together, and again for all post-update hooks."),
    Setting("notify.urls", texts, [], "Apprise URLs to which events are sent."),
    Setting("notify.events", each_of(*TOLD),
            ["updated", "failed", "rolled-back", "recovered", "stale", "refused", "untrusted"],
            f"Events to send. All events: {', '.join(TOLD)}."),
    Setting("notify.stale_after", duration, "7d",
            "Report the event stale when no run succeeded for this long."),
    Setting("metrics.textfile", optional_path, "",
            "Directory of node_exporter's textfile collector. If it is not set, no metrics are"
            " written."),
)  # fmt: skip
