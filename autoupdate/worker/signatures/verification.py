"""verify: verifies the signatures of a commit and of its tags. Runs in the worker.

Git finds what was signed and calls gpg(1) or ssh-keygen(1). It does so in a temporary repository
that shares only the objects with the mirror. So configuration, grafts and refs that a build may
have left in the mirror have no effect.
"""

import hashlib
import re
import tempfile
from typing import NamedTuple

from autoupdate.host.process import run
from autoupdate.model.commits import short
from autoupdate.model.errors import DamagedMirrorError
from autoupdate.model.signatures import Keys, Signature, State
from autoupdate.upstream.git_environment import git_environment
from autoupdate.worker.signatures.openpgp import Keyring
from autoupdate.worker.signatures.ssh import Signers

TAGS = "refs/autoupdate/tags/"
LIMIT = 60
# For one commit; upstream could make many to keep us busy.
MOST_TAGS = 20
BEGINNING = re.compile(rb"^-----BEGIN (PGP SIGNATURE|PGP MESSAGE|SSH SIGNATURE|[A-Z ]+)-----", re.M)


class Signed(NamedTuple):
    """An object with its headers, and the armored signature that it carries; empty for none."""

    headers: list[tuple[bytes, bytes]]
    armor: bytes

    def header(self, name: bytes) -> str:
        """Return the one value of a header; empty if it is missing or there are several."""
        values = [value for key, value in self.headers if key == name]
        return values[0].decode(errors="replace") if len(values) == 1 else ""


class Verification:
    """The tools of one verification, in a directory that is removed after it."""

    def __init__(self, mirror: str, keys: Keys, scratch: str) -> None:
        self.mirror = mirror
        self.repository = f"{scratch}/repository"
        self.keyring = Keyring(f"{scratch}/gnupg", keys.openpgp)
        self.signers = Signers(scratch, keys)
        settings = self.keyring.settings() | self.signers.settings()
        self.environment = git_environment(scratch, settings) | self.keyring.environment()
        self._git("init", "--quiet", "--bare", "--template=", "--", self.repository)
        self.environment["GIT_DIR"] = self.repository
        self.environment["GIT_OBJECT_DIRECTORY"] = f"{mirror}/objects"

    def tags(self, commit: str, wanted: str) -> list[Signature]:
        """Return the signatures of all tags that point to a commit, or only of the wanted one."""
        form = "--format=%(objecttype) %(objectname) %(refname)"
        where = {**self.environment, "GIT_DIR": self.mirror}
        command = ["git", "for-each-ref", form, f"--points-at={commit}", "--", TAGS]
        answer = run(command, environment=where, timeout=LIMIT)
        if answer.returncode:
            raise DamagedMirrorError(f"{self.mirror}: {answer.stderr.strip()}")
        found = []
        for line in answer.stdout.decode(errors="replace").splitlines():
            kind, name, ref = line.split(" ", 2)
            tag = ref.removeprefix(TAGS)
            if not wanted or tag == wanted:
                found.append((kind, name, tag))
        return [self.tag(kind, name, tag, commit) for kind, name, tag in found[:MOST_TAGS]]

    def tag(self, kind: str, name: str, tag: str, commit: str) -> Signature:
        """Return the signature of one tag. The tag object contains its own name and target."""
        of = f"tag {tag}"
        if kind != "tag":
            return Signature(of, State.NONE, detail="a lightweight tag cannot have one")
        signed = self._read(name, "tag")
        if signed.header(b"tag") != tag:
            other = signed.header(b"tag")
            return Signature(of, State.BAD, detail=f"it belongs to a tag called {other!r}")
        # The refs of the mirror prove nothing; the signed tag itself must name the commit.
        if signed.header(b"object") != commit:
            return Signature(of, State.BAD, detail="the tag points to another object")
        return self._judge(of, signed, name, "verify-tag")

    def commit(self, commit: str) -> Signature:
        """Return the signature of a commit."""
        return self._judge("commit", self._read(commit, "commit"), commit, "verify-commit")

    def _judge(self, of: str, signed: Signed, name: str, how: str) -> Signature:
        match = BEGINNING.match(signed.armor)
        if not signed.armor:
            return Signature(of, State.NONE)
        kind = match[1] if match else b""
        judges: dict[bytes, Keyring | Signers] = {
            b"PGP SIGNATURE": self.keyring,
            b"PGP MESSAGE": self.keyring,
            b"SSH SIGNATURE": self.signers,
        }
        judge = judges.get(kind)
        if judge is None:
            what = f"of a kind that is not supported: {kind.decode().lower()}" if kind else ""
            return Signature(of, State.MALFORMED, detail=what)
        if unusable := judge.unusable():
            return unusable._replace(of=of)
        command = ["git", how, "--raw", name]
        done = run(command, environment=self.environment, timeout=LIMIT)
        said = done.stderr + done.stdout.decode(errors="replace")
        return judge.judge(said, signed.armor, good=done.returncode == 0)._replace(of=of)

    def _read(self, name: str, kind: str) -> Signed:
        """Return an object. Its content must match its hash, in case a build wrote to the mirror.

        Raises DamagedMirrorError.
        """
        command = ["git", "cat-file", kind, name]
        done = run(command, environment=self.environment, timeout=LIMIT)
        content = done.stdout
        digest = hashlib.sha1 if len(name) == 40 else hashlib.sha256
        made = digest(f"{kind} {len(content)}\0".encode() + content).hexdigest()
        if done.returncode or made != name:
            raise DamagedMirrorError(f"{self.mirror}: {kind} {short(name)} cannot be read")
        return parse_tag(content) if kind == "tag" else parse_commit(content)

    def _git(self, *words: str) -> None:
        done = run(["git", *words], environment=self.environment, timeout=LIMIT)
        if done.returncode:
            raise OSError(None, f"git init failed: {done.stderr.strip()}", self.repository)


def verify(mirror: str, commit: str, on: str, tag: str, keys: Keys) -> list[Signature]:
    """Return the signatures that count: of the commit, of its tags, or of both.

    Of the tags, the one by which the commit was chosen, or else all that point to it.
    """
    with tempfile.TemporaryDirectory(prefix="autoupdate-verify-") as scratch:
        verification = Verification(mirror, keys, scratch)
        try:
            found = [] if on == "tag" else [verification.commit(commit)]
            return found + ([] if on == "commit" else verification.tags(commit, tag))
        finally:
            verification.keyring.close()


def parse_commit(content: bytes) -> Signed:
    """Return the headers of a commit, and its signature (gitformat-signature(5))."""
    headers = parse_headers(content)
    # With two signatures it is not defined which one Git verifies.
    signatures = [value for key, value in headers if key in (b"gpgsig", b"gpgsig-sha256")]
    return Signed(headers, b"\n".join(signatures) if len(signatures) < 2 else b"twice")


def parse_tag(content: bytes) -> Signed:
    """Return the headers of a tag, and the signature at the end of its message."""
    starts = [match.start() for match in BEGINNING.finditer(content)]
    return Signed(parse_headers(content), content[starts[-1] :] if starts else b"")


def parse_headers(content: bytes) -> list[tuple[bytes, bytes]]:
    """Return the headers of an object; lines that begin with a space continue the previous one."""
    headers: list[tuple[bytes, bytes]] = []
    for line in content.partition(b"\n\n")[0].split(b"\n"):
        if line.startswith(b" ") and headers:
            key, value = headers[-1]
            headers[-1] = (key, value + b"\n" + line[1:])
        else:
            key, _, value = line.partition(b" ")
            headers.append((key, value))
    return headers
