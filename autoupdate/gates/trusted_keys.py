"""Reads the trusted keys of an app: those in /etc/autoupdate/keys/NAME, and no others.

The run reads them, as root: `_autoupdate` must not be able to write them, and need not read them.
"""

import os

from autoupdate.config import root_only
from autoupdate.model.errors import ConfigurationError, describe
from autoupdate.model.paths import Paths
from autoupdate.model.signatures import Keys

ALLOWED_SIGNERS, REVOKED_KEYS = "allowed_signers", "revoked_keys"
BEGINNING = "-----BEGIN PGP "
PRIVATE = "-----BEGIN PGP PRIVATE"
# Far more than the keys of any project.
LARGEST = 4 << 20


def trusted_keys(paths: Paths, app: str) -> Keys:
    """Return the trusted keys of an app; in tests, the caller stands for root.

    Raises ConfigurationError as `read` does.
    """
    owner = os.geteuid() if paths.root else 0
    return read(paths.keys(app), top=paths.root or "/", owner=owner)


def read(directory: str, *, top: str = "/", owner: int = 0) -> Keys:
    """Return the keys in a directory.

    Raises ConfigurationError for a directory or file that users other than root can write, that
    cannot be read, or that has another content.
    """
    try:
        names = sorted(name for name in os.listdir(directory) if not name.startswith("."))
    except FileNotFoundError:
        names = []
    except OSError as error:
        raise ConfigurationError(f"keys cannot be read: {describe(error)}") from None
    openpgp = [(name, _read(directory, name, top, owner)) for name in names if _is_openpgp(name)]
    for name, text in openpgp:
        if not text.lstrip().startswith(BEGINNING):
            raise ConfigurationError(
                f"{directory}/{name} is not an ASCII-armored OpenPGP key",
                f"gpg --armor --export FINGERPRINT >{directory}/{name}",
            )
        if PRIVATE in text:
            raise ConfigurationError(
                f"{directory}/{name} contains a secret key; only public keys belong here",
                f"gpg --armor --export FINGERPRINT >{directory}/{name}",
            )
    for name in names:
        if not _is_openpgp(name) and name not in (ALLOWED_SIGNERS, REVOKED_KEYS):
            raise ConfigurationError(
                f"{directory}/{name}: only *.asc, {ALLOWED_SIGNERS} and {REVOKED_KEYS} are read"
                " here",
                "rename it, or move it away",
            )
    ssh = {
        name: _read(directory, name, top, owner) if name in names else ""
        for name in (ALLOWED_SIGNERS, REVOKED_KEYS)
    }
    if not openpgp and not ssh[ALLOWED_SIGNERS].strip():
        raise ConfigurationError(
            f"there is no trusted key in {directory}",
            f"put one there: {directory}/NAME.asc (OpenPGP) or {directory}/{ALLOWED_SIGNERS} (SSH)",
        )
    return Keys(tuple(openpgp), ssh[ALLOWED_SIGNERS], ssh[REVOKED_KEYS])


def _is_openpgp(name: str) -> bool:
    return name.endswith(".asc")


def _read(directory: str, name: str, top: str, owner: int) -> str:
    path = f"{directory}/{name}"
    try:
        if fault := root_only.fault(path, top, owner):
            raise ConfigurationError(
                f"keys are not trusted: {fault}",
                f"chown -R root: {directory} && chmod -R go-w {directory}",
            )
        with open(path, encoding="ascii" if _is_openpgp(name) else "utf-8") as file:
            text = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigurationError(f"keys cannot be read: {describe(error)}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"{path} is not text",
            f"gpg --armor --export FINGERPRINT >{path}" if _is_openpgp(name) else "",
        ) from None
    if len(text) > LARGEST:
        raise ConfigurationError(f"{path} is larger than {LARGEST} characters")
    return text
