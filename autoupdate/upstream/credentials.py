"""The credentials for upstream: read again for each exchange, and lent to git for its duration.

Those of builds are lent in the same way (build_credentials.py). The run reads root's files, and
puts copies in memory (/run) where only the builds' user can read them, until the exchange has
ended. Secrets are never in the arguments of a command, nor in a configuration file of git. git
sends a token only to the host of upstream's URL (git-credential-store(1)).
"""

import os
import shlex
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from autoupdate.config.sections import Upstream
from autoupdate.host.process import Identity
from autoupdate.model.errors import AutoupdateError, ConfigurationError, NotPermittedError
from autoupdate.upstream.git_environment import CONFIGURATION, SSH, Access, is_open

# A value with this prefix names a credential of systemd (systemd.exec(5), LoadCredential=).
CREDENTIAL = "credential:"
# The user name that forges accept with a token; where it matters there is upstream.username.
TOKEN_USER = "x-access-token"  # noqa: S105 - a name, no password
LARGEST = 1 << 20
# git-config(1), safe.directory: for one exchange, and for repositories that root chose or made.
ANY_OWNER = b"[safe]\n\tdirectory = *\n"


@contextmanager
def lend(upstream: Upstream, directory: str, identity: Identity | None) -> Iterator[Access]:
    """Yield how to reach upstream; the copies of credentials are removed afterwards.

    `directory` is where the copies are put. Secrets are removed from the message of an error that
    is raised meanwhile. Raises ConfigurationError for files that others may read or change.
    """
    url, user, password = split(upstream.url)
    if is_open(upstream):
        yield Access(upstream.url, {})
        return
    token = read(upstream.token_file, "upstream.token_file", secret=True).decode(errors="replace")
    password = token.strip() or password
    user = upstream.username or user or TOKEN_USER
    secrets = (password, quote(password, ""), split(upstream.proxy)[2])
    with lent(directory, secrets) as place:
        yield Access(url, environment(upstream, url, user, password, place, identity))


@contextmanager
def lent(directory: str, secrets: Sequence[str]) -> Iterator[str]:
    """Yield a new directory for copies, and remove it afterwards.

    The secrets are removed from the message of an error that is raised meanwhile.
    """
    place = make_place(directory)
    try:
        yield place
    except AutoupdateError as error:
        error.message, error.advice = hide(error.message, secrets), hide(error.advice, secrets)
        error.args = (error.message,)
        raise
    finally:
        shutil.rmtree(place)


def hide(words: str, secrets: Sequence[str]) -> str:
    """Return a text without secrets."""
    for secret in filter(None, secrets):
        words = words.replace(secret, "***")
    return words


def environment(
    upstream: Upstream, url: str, user: str, password: str, place: str, identity: Identity | None
) -> dict[str, str]:
    """Copy credentials to `place`; return the environment variables that make git use them."""
    configuration = {}
    if password:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ConfigurationError("upstream.token_file needs an http or https upstream.url")
        known = f"{parts.scheme}://{quote(user, '')}:{quote(password, '')}@{parts.netloc}\n"
        file = put(place, "token", known.encode(), identity)
        configuration["credential.helper"] = helper(file)
    if upstream.ca_file:
        content = read(upstream.ca_file, "upstream.ca_file", secret=False)
        configuration["http.sslCAInfo"] = put(place, "ca.pem", content, identity)
    if upstream.proxy:
        configuration["http.proxy"] = upstream.proxy
    words = [*SSH]
    if upstream.ssh_key:
        key = read(upstream.ssh_key, "upstream.ssh_key", secret=True)
        words += ["-oIdentitiesOnly=yes", f"-oIdentityFile={put(place, 'key', key, identity)}"]
    if upstream.known_hosts:
        hosts = read(upstream.known_hosts, "upstream.known_hosts", secret=False)
        words += [f"-o{option}" for option in pinned(put(place, "known_hosts", hosts, identity))]
    found = {"GIT_SSH_COMMAND": shlex.join(words)}
    if url.startswith("file:"):
        # The administrator chose the repository, whoever owns it. git-upload-pack(1) ignores
        # configuration in the environment, but reads this file.
        found["GIT_CONFIG_GLOBAL"] = put(place, "gitconfig", ANY_OWNER, identity)
    hand_over(place, identity)
    return found | more_configuration(configuration)


def hand_over(place: str, identity: Identity | None) -> None:
    """Let one user enter the directory of the copies, once these are complete."""
    if identity:
        os.chown(place, identity.uid, identity.gid)


def more_configuration(configuration: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that add to the configuration of every git process."""
    found = {"GIT_CONFIG_COUNT": str(len(CONFIGURATION) + len(configuration))}
    for number, (key, value) in enumerate(configuration.items(), start=len(CONFIGURATION)):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def helper(file: str) -> str:
    """Return the setting by which git takes tokens from a file (git-credential-store(1))."""
    return f"store --file={shlex.quote(file)}"


def pinned(known_hosts: str) -> tuple[str, ...]:
    """Return the options of ssh that accept the host keys of a file and no others."""
    return ("StrictHostKeyChecking=yes", f"UserKnownHostsFile={known_hosts}",
            "GlobalKnownHostsFile=/dev/null")  # fmt: skip


def split(url: str) -> tuple[str, str, str]:
    """Return an http or https URL without user and password, then these two; others unchanged."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or "@" not in parts.netloc:
        return url, "", ""
    known, _, host = parts.netloc.rpartition("@")
    user, _, password = known.partition(":")
    # In a URL, a token alone is in the place of the user name.
    user, password = (user, password) if password else ("", user)
    return urlunsplit(parts._replace(netloc=host)), unquote(user), unquote(password)


def read(value: str, key: str, *, secret: bool) -> bytes:
    """Read the file of a setting, empty for none; `secret`: nobody else may be able to read it.

    Raises ConfigurationError, NotPermittedError.
    """
    if not value:
        return b""
    path = value
    if value.startswith(CREDENTIAL):
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        if not directory:
            raise ConfigurationError(
                f"{key}: a credential of systemd exists only in the unit",
                "set LoadCredential= in a drop-in of autoupdate@APP.service, then: systemctl start"
                " autoupdate@APP.service",
            )
        path = f"{directory}/{value.removeprefix(CREDENTIAL)}"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError:
        raise NotPermittedError(f"{key}: {path} cannot be read", "try it with sudo") from None
    except OSError as error:
        raise ConfigurationError(f"{key}: {path}: {error.strerror}") from None
    with open(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise ConfigurationError(f"{key}: {path} is not a regular file")
        if facts.st_uid not in (0, os.geteuid()):
            raise ConfigurationError(
                f"{key}: {path} does not belong to root", f"chown root: {path}"
            )
        if facts.st_mode & (0o077 if secret else 0o022):
            what = "read" if secret else "change"
            advice = f"chmod {'600' if secret else '644'} {path}"
            raise ConfigurationError(f"{key}: others may {what} {path}", advice)
        content = file.read(LARGEST)
    if not content.strip():
        raise ConfigurationError(f"{key}: {path} is empty")
    return content


def make_place(directory: str) -> str:
    """Make a directory for this process; remove those of processes that were killed."""
    os.makedirs(directory, mode=0o755, exist_ok=True)
    for name in os.listdir(directory):
        process = name.removeprefix("access-")
        if name.startswith("access-") and not os.path.exists(f"/proc/{process}"):
            shutil.rmtree(f"{directory}/{name}", ignore_errors=True)
    place = f"{directory}/access-{os.getpid()}"
    # Left by an earlier process with the same id; only root can write here.
    shutil.rmtree(place, ignore_errors=True)
    os.mkdir(place, 0o700)
    return place


def put(place: str, name: str, content: bytes, identity: Identity | None) -> str:
    """Write a file that one user can read; return its path."""
    path = f"{place}/{name}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        if identity:
            os.fchown(descriptor, identity.uid, identity.gid)
    return path
