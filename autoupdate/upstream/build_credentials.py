"""The credentials of builds: tokens and keys for package indexes and for Git dependencies.

They are lent for one request of a build, as those of upstream are. pip and uv find tokens in a
netrc file, git in one of git-credential-store(1), ssh the keys in its configuration. What runs as
the builds' user meanwhile, such as a build back end, can read these copies: nothing can be given to
an installer that is out of reach of the back ends which it starts.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import quote

from autoupdate.config.sections import Credential
from autoupdate.host.process import Identity
from autoupdate.model.errors import AutoupdateError, ConfigurationError
from autoupdate.upstream.credentials import (
    CREDENTIAL,
    TOKEN_USER,
    hand_over,
    helper,
    lent,
    more_configuration,
    pinned,
    put,
    read,
)
from autoupdate.upstream.git_environment import SSH, Access

# The user name that PyPI and most other indexes accept with a token.
INDEX_USER = "__token__"
# A shorter line of a key has too little of it to be searched for in a log.
SHORTEST = 16
KEYS = ("token_file", "ssh_key", "known_hosts")
# Where the administrator reads of them in a message.
WHERE = "build.credentials for {host}: {key}"


@contextmanager
def lend(
    credentials: Sequence[Credential], directory: str, identity: Identity | None
) -> Iterator[Access]:
    """Yield the variables for installers and their secrets; the copies are removed afterwards.

    `directory` is where the copies are put. Raises ConfigurationError, NotPermittedError.
    """
    if not credentials:
        yield Access("", {})
        return
    files = {item: {key: content(item, key) for key in KEYS} for item in credentials}
    secrets = tuple(secret for read_files in files.values() for secret in secrets_of(read_files))
    with lent(directory, secrets) as place:
        yield Access("", environment(files, place, identity), secrets)


def content(item: Credential, key: str) -> bytes:
    """Read the file of a key; a token without the end of its line.

    Raises ConfigurationError, NotPermittedError.
    """
    where = WHERE.format(host=item.host, key=key)
    found = read(getattr(item, key), where, secret=key != "known_hosts")
    if key != "token_file":
        return found
    token = found.strip()
    if not all(32 <= byte < 127 for byte in token):
        # A netrc file can have no others that pip and uv understand in the same way.
        raise ConfigurationError(f"{where}: {item.token_file} is not one line of ASCII characters")
    return token


def faults(credentials: Sequence[Credential]) -> Iterator[AutoupdateError]:
    """Yield an error for each file that cannot be used; those of systemd exist only in the unit."""
    for item in credentials:
        for key in KEYS:
            if not getattr(item, key).startswith(CREDENTIAL):
                try:
                    content(item, key)
                except AutoupdateError as error:
                    yield error


def secrets_of(files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield what must not be logged, longer ones first: it may contain the others."""
    if token := files["token_file"].decode():
        forms = {token, quote(token, ""), quoted(token).strip('"')}
        yield from sorted(forms, key=len, reverse=True)
    for line in files["ssh_key"].decode(errors="replace").splitlines():
        if len(line) >= SHORTEST and not line.startswith("-----"):
            yield line


def environment(
    files: Mapping[Credential, Mapping[str, bytes]], place: str, identity: Identity | None
) -> dict[str, str]:
    """Copy credentials to `place`; return the variables that make installers use them."""
    netrc, store, hosts = list[str](), list[str](), list[str]()
    for number, (item, found) in enumerate(files.items()):
        if token := found["token_file"].decode():
            words = ("machine", item.name, "login", item.username or INDEX_USER,
                     "password", token)  # fmt: skip
            netrc.append(" ".join(map(quoted, words)))
            login = f"{quote(item.username or TOKEN_USER, '')}:{quote(token, '')}"
            store += [f"{scheme}://{login}@{item.host}" for scheme in ("https", "http")]
        else:
            key = put(place, f"key-{number}", found["ssh_key"], identity)
            hosts += [f"Host {item.name}", "IdentitiesOnly=yes", f"IdentityFile={key}"]
            if item.known_hosts:
                hosts += pinned(put(place, f"known_hosts-{number}", found["known_hosts"], identity))

    def written(name: str, lines: Sequence[str]) -> str:
        return put(place, name, "".join(f"{line}\n" for line in lines).encode(), identity)

    given: dict[str, str] = {}
    if netrc:
        given["NETRC"] = written("netrc", netrc)
        given |= more_configuration({"credential.helper": helper(written("token", store))})
    if hosts:
        # In the place of "-F/dev/null".
        command = [SSH[0], f"-F{written('ssh_config', hosts)}", *SSH[2:]]
        given["GIT_SSH_COMMAND"] = shlex.join(command)
    hand_over(place, identity)
    return given


def quoted(word: str) -> str:
    """Return a word of a netrc file, as pip and uv both read it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
