"""The environment of every git process: only this configuration, no prompts, no hooks."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from autoupdate.config.sections import Upstream
from autoupdate.host.process import base_environment

# git-config(1). Given through the environment, so that no argument list has to repeat it.
CONFIGURATION = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "credential.helper": "",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "protocol.version": "2",
    # Keep a fetched pack as one file, whose size can be limited.
    "fetch.unpackLimit": "1",
    # A server that sends less than 1,000 bytes a second for a minute has hung.
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "advice.detachedHead": "false",
    # Upstream may give a tag any name, also that of a commit. Full names win in any case.
    "core.warnAmbiguousRefs": "false",
    # One worker per processor, if there are at least 100 files.
    "checkout.workers": "0",
    "user.name": "autoupdate",
    "user.email": "autoupdate@localhost",
}


class Access(NamedTuple):
    """The URL to fetch from, without secrets, and additional variables for git's environment."""

    url: str
    environment: dict[str, str]
    secrets: tuple[str, ...] = ()
    """What must not be logged meanwhile."""


# No configuration of the host or a user, no prompts, no updates of known host keys.
# A server that answers no longer is given up after a minute.
SSH = (
    "ssh", "-F/dev/null", "-oBatchMode=yes", "-oConnectTimeout=30", "-oUpdateHostKeys=no",
    "-oServerAliveInterval=15", "-oServerAliveCountMax=4",
)  # fmt: skip


def is_open(upstream: Upstream) -> bool:
    """Return whether upstream can be reached without credentials or other files for git."""
    user_in_url = "@" in upstream.url and upstream.url.startswith("http")
    # git refuses a repository of another user, unless its configuration allows it.
    is_local = upstream.url.startswith("file:")
    files = (upstream.token_file, upstream.ssh_key, upstream.known_hosts, upstream.ca_file)
    return not (user_in_url or is_local or upstream.proxy or any(files))


def git_environment(home: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a git process whose home directory is `home`.

    `more` is additional configuration.
    """
    configuration = {**CONFIGURATION, **(more or {})}
    environment = base_environment(home) | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "SSH_ASKPASS": "/bin/false",
        "GIT_SSH_COMMAND": " ".join(SSH),
        "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_CONFIG_COUNT": str(len(configuration)),
    }
    for index, (key, value) in enumerate(configuration.items()):
        environment[f"GIT_CONFIG_KEY_{index}"] = key
        environment[f"GIT_CONFIG_VALUE_{index}"] = value
    return environment


def redact(words: str) -> str:
    """Hide user names and passwords in the URLs of a text."""
    return re.sub(r"([a-z][a-z0-9+.-]*://)[^/\s']+@", r"\1***@", words)


URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"<>]+")
# What is between scheme or user and path, with the port if it is in a URL.
HOST = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:[^/\s@]*@)?([^/:\s]*(?::\d+)?)")


def host_of(url: str) -> str:
    """Return the host of a URL, or of user@host:path; the URL itself if it has none."""
    found = HOST.match(redact(url))
    return (found[1] if found else "") or redact(url)


# What git says when ssh failed; the line above it is from ssh itself.
SSH_FAILED = "fatal: Could not read from remote repository."
# What git says after a connection was lost, whatever the reason.
FOLLOWS = re.compile(
    r"^fatal: expected |the remote end hung up|early EOF|invalid index-pack"
    r"|index-pack failed|unexpected disconnect|bytes of body are still expected|protocol error"
    r"|fetch-pack: |unable to read askpass"
)
WRONG_HOST = "Host key verification failed."


def complaint(stderr: str) -> str:
    """Return the most useful line of git's error messages, without secrets."""
    lines = [line.strip() for line in redact(stderr).splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ssh:"))]
    fatal = [line for line in telling if line.startswith("fatal:")]
    # The one about the protocol only says that nothing more came; git's reason is on another line.
    reasons = [line for line in (*fatal, *telling) if not FOLLOWS.search(line)]
    line = fatal[0] if fatal and fatal[0] == SSH_FAILED else (reasons or fatal or [""])[0]
    if line == SSH_FAILED and lines.index(line):
        line = lines[lines.index(line) - 1]
    if line == WRONG_HOST:
        line = "the host key is not in upstream.known_hosts"
    return (line or (telling or lines or ["git gave no reason"])[0]).removeprefix("fatal: ")
