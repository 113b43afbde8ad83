"""How every git process here is confined: no configuration but this, no prompt, no hook."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from autoupdate.config.settings import Upstream
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
    # What was fetched stays one file, to which a limit can be set.
    "fetch.unpackLimit": "1",
    # A server that sends less than 1,000 bytes a second for a minute has hung.
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "advice.detachedHead": "false",
    # As many as there are processors, from 100 files on.
    "checkout.workers": "0",
    "user.name": "autoupdate",
    "user.email": "autoupdate@localhost",
}


class Access(NamedTuple):
    """The address to fetch from, without secrets, and what git's environment needs beside."""

    url: str
    environment: dict[str, str]


# Without the host's or a user's configuration; no question, no learning of keys.
SSH = ("ssh", "-F/dev/null", "-oBatchMode=yes", "-oConnectTimeout=30", "-oUpdateHostKeys=no")


def is_open(upstream: Upstream) -> bool:
    """Tell whether upstream asks nothing of who fetches, so that nothing is lent to git."""
    user_in_url = "@" in upstream.url and upstream.url.startswith("http")
    # git reads no repository of another user's, unless it is told that it may.
    is_local = upstream.url.startswith("file:")
    files = (upstream.token_file, upstream.ssh_key, upstream.known_hosts, upstream.ca_file)
    return not (user_in_url or is_local or upstream.proxy or any(files))


def git_environment(home: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a git process whose home directory is `home`.

    `more` is configuration that it gets besides.
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


# What git says when ssh has failed; the line before it is that of ssh itself.
SSH_FAILED = "fatal: Could not read from remote repository."
WRONG_HOST = "Host key verification failed."


def complaint(stderr: str) -> str:
    """Return the line of git's complaints that says most, without secrets."""
    lines = [line.strip() for line in redact(stderr).splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ssh:"))]
    line = next((line for line in telling if line.startswith("fatal:")), "")
    if line == SSH_FAILED and lines.index(line):
        line = lines[lines.index(line) - 1]
    if line == WRONG_HOST:
        line = "the key of its host is none of those in upstream.known_hosts"
    return (line or (telling or lines or ["git gave no reason"])[0]).removeprefix("fatal: ")
