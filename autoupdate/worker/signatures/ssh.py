"""SSH: signatures that ssh-keygen(1) verifies with a list of allowed signers.

The format of a signature is in PROTOCOL.sshsig of OpenSSH, that of the key in it in RFC 4253, 6.6.
"""

import base64
import hashlib
import re
import shutil
import struct
from typing import NamedTuple

from autoupdate.model.signatures import Keys, Signature, State

MAGIC = b"SSHSIG"
GOOD = re.compile(r'Good "git" signature for (.+) with \S+ key (SHA256:\S+)')
GOOD_OF_SOMEBODY = re.compile(r'Good "git" signature with \S+ key (SHA256:\S+)')
NOT_FOR_GIT = 'not permitted for use in signature namespace "git"'
SHORTEST = 2048


class Armor(NamedTuple):
    """The key and the purpose (namespace) in a signature."""

    key: bytes
    purpose: str

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the key, as ssh-keygen shows it."""
        digest = hashlib.sha256(self.key).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


class Signers:
    """The administrator's allowed signers and revoked keys, as files for one verification."""

    def __init__(self, directory: str, keys: Keys) -> None:
        self.keys = keys
        self.allowed = f"{directory}/allowed_signers"
        self.revoked = f"{directory}/revoked_keys"
        for path, text in ((self.allowed, keys.allowed_signers), (self.revoked, keys.revoked_keys)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def settings(self) -> dict[str, str]:
        """Return Git's settings for these signatures (git-config(1))."""
        return {
            "gpg.ssh.program": "ssh-keygen",
            "gpg.ssh.allowedSignersFile": self.allowed,
            "gpg.ssh.revocationFile": self.revoked,
        }

    def unusable(self) -> Signature | None:
        """Return why no signature can be verified; None if it can."""
        if shutil.which("ssh-keygen") is None:
            missing = "ssh-keygen is missing: apt install openssh-client"
            return Signature("", State.UNVERIFIABLE, detail=missing)
        if not self.keys.allowed_signers.strip():
            return Signature("", State.UNKNOWN_KEY, detail="no SSH key is trusted here")
        return None

    def judge(self, said: str, armor: bytes, *, good: bool) -> Signature:
        """Return what ssh-keygen's output, as Git passes it on, says about a signature."""
        try:
            read = parse(armor)
        except (ValueError, struct.error):
            return Signature("", State.MALFORMED)
        fingerprint = read.fingerprint
        found = Signature("", State.BAD, f"SSH {fingerprint}", (fingerprint,))
        if read.purpose != "git":
            return found._replace(detail=f"it was made for {read.purpose!r}, not for Git")
        if listed(read.key, self.keys.revoked_keys):
            return found._replace(state=State.REVOKED_KEY)
        lines = said.splitlines()
        principals = [match[1] for line in lines if (match := GOOD.fullmatch(line))
                      and match[2] == fingerprint]  # fmt: skip
        if good and principals:
            signer = f"SSH {fingerprint} {principals[0]}"
            weakness = weakness_of(read.key)
            state = State.WEAK if weakness else State.GOOD
            return found._replace(state=state, signer=signer, detail=weakness)
        if any(NOT_FOR_GIT in line for line in lines):
            return found._replace(state=State.EXPIRED_KEY, detail="not valid for Git")
        if not any(GOOD_OF_SOMEBODY.fullmatch(line) for line in lines):
            return found
        if line := listed(read.key, self.keys.allowed_signers):
            times = re.findall(r'valid-(?:after|before)="?[0-9]+Z?', line)
            detail = ", ".join(time.replace('"', "") for time in times)
            return found._replace(state=State.EXPIRED_KEY, detail=detail)
        return found._replace(state=State.UNKNOWN_KEY)


def parse(armor: bytes) -> Armor:
    """Read a signature. Raises ValueError, struct.error."""
    lines = armor.strip().split(b"\n")
    if lines[-1].strip() != b"-----END SSH SIGNATURE-----":
        raise ValueError("no end")
    blob = base64.b64decode(b"".join(lines[1:-1]), validate=True)
    if not blob.startswith(MAGIC):
        raise ValueError("no signature")
    key, rest = take(blob[len(MAGIC) + 4 :])
    purpose, _ = take(rest)
    return Armor(key, purpose.decode(errors="replace"))


def take(blob: bytes) -> tuple[bytes, bytes]:
    """Return a string and what follows it (RFC 4251, 5). Raises ValueError, struct.error."""
    (length,) = struct.unpack_from(">I", blob)
    if length > len(blob) - 4:
        raise ValueError("too short")
    return blob[4 : 4 + length], blob[4 + length :]


def listed(key: bytes, text: str) -> str:
    """Return the line of a list that contains a key; empty if none does."""
    encoded = base64.b64encode(key).decode()
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return next((line for line in lines if encoded in line.split()), "")


def weakness_of(key: bytes) -> str:
    """Return why a key is weak; empty if it is not."""
    kind, rest = take(key)
    if kind == b"ssh-dss":
        return "a DSA key"
    if kind == b"ssh-rsa":
        _, rest = take(rest)
        bits = int.from_bytes(take(rest)[0]).bit_length()
        return f"a key of {bits} bits" if bits < SHORTEST else ""
    return ""
