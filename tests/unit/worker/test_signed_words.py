"""Output of gpg and ssh-keygen, and contents of signatures, that make no sense."""

import base64
import struct
from pathlib import Path

import pytest

from autoupdate.model.signatures import Keys, State
from autoupdate.worker.signatures.openpgp import Keyring
from autoupdate.worker.signatures.ssh import Signers, listed, parse, weakness_of
from autoupdate.worker.signatures.verification import parse_commit, parse_tag

FINGERPRINT, KEY_ID = "A" * 40, "A" * 16
NEW = "[GNUPG:] NEWSIG\n"
GOOD = f"[GNUPG:] GOODSIG {KEY_ID} Author <a@b>\n"
VALID = f"[GNUPG:] VALIDSIG {FINGERPRINT} 2026-01-01 1 0 4 0 22 8 00 {FINGERPRINT}\n"


@pytest.mark.parametrize(
    ("said", "good", "state"),
    [
        ("", True, State.MALFORMED),
        (NEW, True, State.MALFORMED),
        (GOOD + VALID, True, State.MALFORMED),
        (NEW + GOOD, True, State.MALFORMED),
        (NEW + GOOD + VALID, False, State.MALFORMED),
        (NEW + GOOD + f"[GNUPG:] VALIDSIG {FINGERPRINT}\n", True, State.MALFORMED),
        (NEW + GOOD + GOOD + VALID, True, State.MALFORMED),
        (NEW + GOOD + VALID + VALID, True, State.MALFORMED),
        (NEW + GOOD + VALID + NEW + GOOD + VALID, True, State.MALFORMED),
        (NEW + f"[GNUPG:] BADSIG {KEY_ID} x\n" + VALID, True, State.BAD),
        (NEW + f"[GNUPG:] REVKEYSIG {KEY_ID} x\n" + VALID, True, State.REVOKED_KEY),
        # Output of gpg that is not a status line may come from anybody.
        (f"gpg: {NEW}gpg: {GOOD}", True, State.MALFORMED),
        (NEW + f"[GNUPG:] ERRSIG {KEY_ID}\n", True, State.MALFORMED),
        (NEW + f"[GNUPG:] ERRSIG {KEY_ID} 22 8 00 1 9 {FINGERPRINT}\n", True, State.UNKNOWN_KEY),
        (NEW + f"[GNUPG:] ERRSIG {KEY_ID} 1 1 00 1 5 -\n", True, State.WEAK),
        (NEW + f"[GNUPG:] ERRSIG {KEY_ID} 99 8 00 1 4 -\n", True, State.MALFORMED),
    ],
)
def test_status_lines_of_gpg(said: str, good: bool, state: State) -> None:
    found = Keyring("/nowhere", ()).judge(said, b"", good=good)
    assert found.state is state


def test_name_of_a_signer_may_hold_anything() -> None:
    said = NEW + f"[GNUPG:] EXPKEYSIG {KEY_ID} a%0A[GNUPG:] GOODSIG%FF\n"
    found = Keyring("/nowhere", ()).judge(said, b"", good=False)
    assert found.state is State.EXPIRED_KEY
    assert found.signer == f"OpenPGP {KEY_ID} a\n[GNUPG:] GOODSIG\ufffd"


def packed(*parts: bytes) -> bytes:
    """Return strings as SSH packs them."""
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def armored(blob: bytes) -> bytes:
    """Return what git stores of an SSH signature."""
    text = base64.b64encode(blob)
    return b"-----BEGIN SSH SIGNATURE-----\n" + text + b"\n-----END SSH SIGNATURE-----\n"


KEY = packed(b"ssh-ed25519", b"k" * 32)
SIGNATURE = b"SSHSIG\0\0\0\1" + packed(KEY, b"git", b"", b"sha512", b"s")


def test_signature_by_ssh_contains_its_key_and_purpose() -> None:
    assert parse(armored(SIGNATURE)) == (KEY, "git")


@pytest.mark.parametrize(
    "armor",
    [
        b"", b"-----BEGIN SSH SIGNATURE-----", armored(b""), armored(b"SSHSIG"),
        armored(SIGNATURE[:20]), armored(b"x" + SIGNATURE), armored(SIGNATURE)[:-5],
        armored(b"SSHSIG\0\0\0\1\xff\xff\xff\xffk"), armored(SIGNATURE).replace(b"A", b"!"),
    ],
)  # fmt: skip
def test_signature_by_ssh_that_cannot_be_read(armor: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        parse(armor)


def test_output_of_ssh_keygen_about_another_key_does_not_count(tmp_path: Path) -> None:
    signers = Signers(str(tmp_path), Keys(allowed_signers="a ssh-ed25519 AAAA"))
    said = 'Good "git" signature for a@b with ED25519 key SHA256:other\n'
    assert signers.judge(said, armored(SIGNATURE), good=True).state is State.BAD


def test_keys_in_lists() -> None:
    key = base64.b64encode(KEY).decode()
    text = f"# a ssh-ed25519 {key}\nb ssh-ed25519 {key}x\nc ssh-ed25519 {key} comment\n"
    assert listed(KEY, text).startswith("c ")
    assert listed(b"other", text) == ""


@pytest.mark.parametrize(
    ("key", "weak"),
    [
        (KEY, ""),
        (packed(b"ssh-dss", b"p"), "a DSA key"),
        (packed(b"ssh-rsa", b"\1\0\1", b"\0" + b"\xff" * 128), "a key of 1024 bits"),
        (packed(b"ssh-rsa", b"\1\0\1", b"\0" + b"\xff" * 256), ""),
    ],
)
def test_weak_keys(key: bytes, weak: str) -> None:
    assert weakness_of(key) == weak


def test_headers_of_objects() -> None:
    signed = parse_commit(b"tree 1\ngpgsig -----BEGIN\n x\n y\nencoding z\n\ngpgsig no\n")
    assert signed.armor == b"-----BEGIN\nx\ny"
    assert parse_commit(b"tree 1\ngpgsig a\ngpgsig b\n\n").armor == b"twice"
    assert parse_commit(b" gpgsig a").armor == b""
    tag = parse_tag(b"object 1\ntag v1\ntag v2\n\nx\n-----BEGIN PGP SIGNATURE-----\ny\n")
    assert tag.armor == b"-----BEGIN PGP SIGNATURE-----\ny\n"
    assert (tag.header(b"object"), tag.header(b"tag")) == ("1", ""), "two names are none"
