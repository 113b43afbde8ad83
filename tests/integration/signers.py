"""Signatures of every kind and in every state, made by gpg and ssh-keygen themselves.

Keys are made once. gpg gets the time from --faked-system-time.
"""

import re
from collections.abc import Callable
from pathlib import Path

from autoupdate.model.signatures import Keys
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, run

THEN, LONG_AGO = "20240101T000000", "20200101T000000"
PERSON = "Upstream Author <author@upstream.example>"
# The time of every object that is signed here: 2025-06-15.
MOMENT = 1_750_000_000
Sign = Callable[[bytes], bytes]


class Signers:
    """A directory with secret keys; `keys` are those that a host trusts."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = directory / "gnupg"
        self.home.mkdir(mode=0o700)
        self.environment = {**CLEAN_ENVIRONMENT, "GNUPGHOME": str(self.home)}
        self.fingerprints: dict[str, str] = {}
        for name, algorithm, at, expires in (
            ("good", "ed25519", THEN, "never"),
            ("forge", "ed25519", THEN, "never"),
            ("unknown", "ed25519", THEN, "never"),
            ("revoked", "ed25519", THEN, "never"),
            ("expired", "ed25519", LONG_AGO, "1d"),
            ("short", "rsa1024", THEN, "never"),
            ("old", "rsa2048", THEN, "never"),
            ("careful", "ed25519", THEN, "never"),
        ):
            self.fingerprints[name] = self._make_openpgp(name, algorithm, at, expires)
        for name, kind in (
            ("good", ("ed25519",)), ("unknown", ("ed25519",)), ("revoked", ("ed25519",)),
            ("expired", ("ed25519",)), ("future", ("ed25519",)), ("short", ("rsa", "-b", "1024")),
            ("other", ("ed25519",)),
        ):  # fmt: skip
            self._make_ssh(name, kind)
        trusted = [
            (f"{name}.asc", self.openpgp(name))
            for name in ("good", "expired", "short", "old", "careful")
        ]
        self.keys = Keys(
            (*trusted, ("revoked.asc", self._revoked())),
            self.allowed("good") + self.allowed("revoked") + self.allowed("short")
            + self.allowed("expired", 'valid-before="20250101"')
            + self.allowed("future", 'valid-after="20260101"')
            + self.allowed("other", 'namespaces="file"'),
            self.ssh("revoked"),
        )  # fmt: skip

    def close(self) -> None:
        """End the agent that holds the secret keys."""
        run("gpgconf", "--homedir", self.home, "--kill", "all", environment=self.environment)

    def openpgp(self, name: str) -> str:
        """Return an OpenPGP key as an administrator gets it."""
        return self._gpg("--armor", "--export", self.fingerprints[name])

    def ssh(self, name: str) -> str:
        """Return the public half of an SSH key, as ssh-keygen writes it."""
        return (self.directory / f"{name}.pub").read_text()

    def allowed(self, name: str, options: str = "") -> str:
        """Return the line of a key in a list of allowed signers."""
        kind, key, _ = self.ssh(name).split(" ")
        return " ".join(filter(None, [f"{name}@upstream.example", options, kind, key])) + "\n"

    def by_openpgp(self, name: str, *options: str, at: str = "20250615T150640") -> Sign:
        """Return a function that signs with an OpenPGP key."""

        def sign(payload: bytes) -> bytes:
            key = self.fingerprints[name]
            words = ("--faked-system-time", at, "--local-user", key, *options)
            return self._gpg(*words, "--armor", "--detach-sign", text=payload).encode()

        return sign

    def by_ssh(self, name: str, purpose: str = "git") -> Sign:
        """Return a function that signs with an SSH key."""

        def sign(payload: bytes) -> bytes:
            key = self.directory / name
            done = run("ssh-keygen", "-Y", "sign", "-n", purpose, "-f", key, input=payload)
            return done.stdout.encode()

        return sign

    def _make_openpgp(self, name: str, algorithm: str, at: str, expires: str) -> str:
        user = PERSON.replace("author", name)
        words = ("--faked-system-time", at, "--passphrase", "", "--pinentry-mode", "loopback")
        # Careful people keep the primary key offline, and sign with a subkey.
        use = "cert" if name == "careful" else "sign"
        said = self._gpg(
            *words, "--status-fd", "1", "--quick-generate-key", user, algorithm, use, expires
        )
        match = re.search("KEY_CREATED . ([0-9A-F]+)", said)
        assert match is not None
        if name == "careful":
            self._gpg(*words, "--quick-add-key", match[1], algorithm, "sign", expires)
        return match[1]

    def _revoked(self) -> str:
        """Return a revoked copy of a key; here the key can still sign."""
        file = self.home / "openpgp-revocs.d" / f"{self.fingerprints['revoked']}.rev"
        # gpg puts a colon there, against accidental imports.
        revocation = file.read_text().replace(":-----", "-----")
        home = self.directory / "elsewhere"
        home.mkdir(mode=0o700)
        elsewhere = {**CLEAN_ENVIRONMENT, "GNUPGHOME": str(home)}
        text = self.openpgp("revoked") + revocation
        run("gpg", "--batch", "--quiet", "--no-autostart", "--import", input=text,
            environment=elsewhere)  # fmt: skip
        return run("gpg", "--batch", "--armor", "--export", environment=elsewhere).stdout

    def _make_ssh(self, name: str, kind: tuple[str, ...]) -> None:
        file = self.directory / name
        run("ssh-keygen", "-q", "-t", *kind, "-N", "", "-C", name, "-f", file)

    def _gpg(self, *words: str, text: bytes = b"") -> str:
        done = run("gpg", "--batch", "--quiet", *words, input=text, environment=self.environment)
        return done.stdout


class Objects:
    """A mirror with commits and tags, written object by object."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        run("git", "init", "--quiet", "--bare", directory)
        self.tree = self._write("tree", b"")

    def commit(self, message: str, sign: Sign | None = None) -> str:
        """Write a commit; return its hash."""
        return self.raw_commit(message, sign(self.payload(message)) if sign else b"")

    def payload(self, message: str) -> bytes:
        """Return the signed part of a commit."""
        who = f"{PERSON} {MOMENT} +0000"
        head = f"tree {self.tree}\nauthor {who}\ncommitter {who}\n"
        return f"{head}\n{message}\n".encode()

    def raw_commit(self, message: str, armor: bytes) -> str:
        """Write a commit with a signature; return its hash."""
        head, _, text = self.payload(message).partition(b"\n\n")
        if armor:
            head += b"\ngpgsig " + armor.rstrip(b"\n").replace(b"\n", b"\n ")
        return self._write("commit", head + b"\n\n" + text)

    def tag(self, name: str, commit: str, sign: Sign | None = None, place: str = "") -> str:
        """Write an annotated tag with a ref; return the hash of the object."""
        payload = self.tag_payload(name, commit)
        return self.raw_tag(place or name, payload + (sign(payload) if sign else b""))

    def tag_payload(self, name: str, commit: str, kind: str = "commit") -> bytes:
        """Return the signed part of a tag."""
        head = f"object {commit}\ntype {kind}\ntag {name}\ntagger {PERSON} {MOMENT} +0000\n"
        return f"{head}\n{name}\n".encode()

    def raw_tag(self, name: str, content: bytes) -> str:
        """Write a tag with some content; return the hash of the object."""
        made = self._write("tag", content)
        self.ref(name, made)
        return made

    def ref(self, name: str, to: str) -> None:
        """Make the ref of a tag point to an object."""
        place = f"refs/autoupdate/tags/{name}"
        run("git", "-C", self.directory, "update-ref", place, to)

    def _write(self, kind: str, content: bytes) -> str:
        words = ("hash-object", "-w", "--literally", "-t", kind, "--stdin")
        return run("git", "-C", self.directory, *words, input=content).stdout.strip()
