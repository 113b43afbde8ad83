"""OpenPGP: a temporary keyring for one verification, and the meaning of gpg's status lines.

There is no web of trust: the administrator's keys are trusted, any other key is not. The status
lines are documented in doc/DETAILS of GnuPG.
"""

import os
import re
import shutil
from urllib.parse import unquote_to_bytes

from autoupdate.host.process import base_environment, run
from autoupdate.model.signatures import Signature, State

LIMIT = 60
OPTIONS = """\
batch
no-tty
no-autostart
no-auto-key-import
no-auto-key-locate
no-auto-key-retrieve
disable-dirmngr
trust-model always
"""
PREFIX = "[GNUPG:] "
VERDICTS = {
    "GOODSIG": State.GOOD, "EXPSIG": State.EXPIRED_SIGNATURE, "EXPKEYSIG": State.EXPIRED_KEY,
    "REVKEYSIG": State.REVOKED_KEY, "BADSIG": State.BAD, "ERRSIG": State.MALFORMED,
}  # fmt: skip
# RFC 4880, 9.1 and 9.4: RSA and DSA keys have a length; MD5, SHA-1 and RIPE-MD/160 are broken.
SIZED = ("1", "2", "3", "17")
SHORTEST = 2048
BROKEN_DIGESTS = {"1": "MD5", "2": "SHA-1", "3": "RIPE-MD/160"}
NO_PUBLIC_KEY = "9"


class Keyring:
    """A GNUPGHOME with some keys, in a directory that the caller removes."""

    def __init__(self, home: str, keys: tuple[tuple[str, str], ...]) -> None:
        self.home = home
        self.keys = keys
        self.ready = False

    def settings(self) -> dict[str, str]:
        """Return Git's settings for these signatures (git-config(1))."""
        return {
            "gpg.program": "gpg", "gpg.openpgp.program": "gpg", "gpg.x509.program": "/bin/false",
            "gpg.minTrustLevel": "undefined",
        }  # fmt: skip

    def environment(self) -> dict[str, str]:
        """Return the variable that makes gpg use this keyring."""
        return {"GNUPGHOME": self.home}

    def unusable(self) -> Signature | None:
        """Return why no signature can be verified; None, with the keys imported, if it can."""
        if shutil.which("gpg") is None:
            return Signature("", State.UNVERIFIABLE, detail="gpg is missing: apt install gnupg")
        if not self.keys:
            return Signature("", State.UNKNOWN_KEY, detail="no OpenPGP key is trusted here")
        return None if self.ready else self._import()

    def _import(self) -> Signature | None:
        os.mkdir(self.home, 0o700)
        for name, text in (("gpg.conf", OPTIONS), ("common.conf", "")):
            with open(f"{self.home}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
        for name, text in self.keys:
            command = ["--status-fd=1", "--import-options=no-import-clean", "--import"]
            said = self._gpg(*command, text=text)
            if f"{PREFIX}IMPORT_OK" not in said:
                return Signature("", State.UNVERIFIABLE, detail=f"{name} contains no OpenPGP key")
        self.ready = True
        return None

    def judge(self, said: str, armor: bytes, *, good: bool) -> Signature:
        """Return what gpg's status lines, as Git passes them on, say about a signature."""
        lines = [line.removeprefix(PREFIX).split(" ") for line in said.splitlines()
                 if line.startswith(PREFIX)]  # fmt: skip
        verdicts = [words for words in lines if words[0] in VERDICTS]
        valid = [words for words in lines if words[0] == "VALIDSIG"]
        news = [words for words in lines if words[0] == "NEWSIG"]
        if len(verdicts) != 1 or len(verdicts[0]) < 2 or len(news) != 1 or len(valid) > 1:
            detail = "it has several signatures" if len(news) > 1 else ""
            return Signature("", State.MALFORMED, detail=detail)
        keyword, key, *rest = verdicts[0]
        if keyword == "ERRSIG":
            return failed(key, rest)
        fingerprints = (valid[0][1], valid[0][10]) if valid and len(valid[0]) > 10 else (key,)
        name = unquote_to_bytes(" ".join(rest)).decode(errors="replace")
        signer = f"OpenPGP {fingerprints[-1]} {name}"
        found = Signature("", VERDICTS[keyword], signer, fingerprints)
        if found.state is not State.GOOD:
            return found
        if not valid or len(fingerprints) < 2 or not good:
            return found._replace(state=State.MALFORMED)
        if weakness := BROKEN_DIGESTS.get(valid[0][8]) or self._weakness(fingerprints[0]):
            return found._replace(state=State.WEAK, detail=weakness)
        return found

    def _weakness(self, fingerprint: str) -> str:
        """Return the length of a key that is too short; empty for any other."""
        size, algorithm = "", ""
        for line in self._gpg("--with-colons", "--list-keys").splitlines():
            fields = line.split(":")
            if fields[0] in ("pub", "sub"):
                size, algorithm = fields[2], fields[3]
            elif fields[0] == "fpr" and fields[9] == fingerprint:
                short = algorithm in SIZED and int(size) < SHORTEST
                return f"a key of {size} bits" if short else ""
        return ""

    def close(self) -> None:
        """End the agents that gpg may have started despite its options."""
        sockets = [name for name in os.listdir(self.home) if name.startswith("S.")] \
            if os.path.isdir(self.home) else []  # fmt: skip
        if sockets:
            command = ["gpgconf", "--homedir", self.home, "--kill", "all"]
            run(command, environment=base_environment(self.home), timeout=LIMIT)

    def _gpg(self, *words: str, text: str = "") -> str:
        environment = base_environment(self.home) | self.environment()
        done = run(["gpg", *words], environment=environment, timeout=LIMIT, stdin=text.encode())
        return done.stdout.decode(errors="replace")


def failed(key: str, rest: list[str]) -> Signature:
    """Return what ERRSIG says: key id, algorithms, class, time, reason and perhaps fingerprint."""
    digest, reason = (rest[1], rest[4]) if len(rest) > 4 else ("", "")
    named = rest[5] if len(rest) > 5 and re.fullmatch("[0-9A-F]{40,64}", rest[5]) else key
    if reason == NO_PUBLIC_KEY:
        return Signature("", State.UNKNOWN_KEY, f"OpenPGP {named}", (named,))
    if digest in BROKEN_DIGESTS:
        return Signature("", State.WEAK, f"OpenPGP {named}", (named,), BROKEN_DIGESTS[digest])
    return Signature("", State.MALFORMED, f"OpenPGP {named}", (named,))
