"""Verification of signatures: kind of key, state of key, commit or tag, and the host's policy."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from autoupdate.config.sections import Trust
from autoupdate.gates import signatures
from autoupdate.model.signatures import Keys, Signature, State
from autoupdate.worker.signatures.verification import verify
from tests.integration.signers import Objects, Sign, Signers
from tests.unit.world import World, settings
from tools.lib.hosts.commands import run

TAKEN, WARNED, REFUSED = "taken", "warned", "refused"


class Case(NamedTuple):
    """One signature, and the expected verdict."""

    kind: str
    state: str
    verdict: State
    enforce: str
    says: str


# kind      state of the key or of the signature   verdict          with enforce  what is said of it
CASES = [
    Case("openpgp", "good",               State.GOOD,              TAKEN,   "is signed by OpenPGP"),
    Case("openpgp", "good by subkey",     State.GOOD,              TAKEN,   "Author <careful@"),
    Case("openpgp", "absent",             State.NONE,              REFUSED, "has no signature"),
    Case("openpgp", "of other content",   State.BAD,               REFUSED, "does not match"),
    Case("openpgp", "cut off",            State.MALFORMED,         REFUSED, "cannot be read"),
    Case("openpgp", "no armor",           State.MALFORMED,         REFUSED, "cannot be read"),
    Case("openpgp", "key unknown",        State.UNKNOWN_KEY,       REFUSED, "not trusted here"),
    Case("openpgp", "key of a forge",     State.UNKNOWN_KEY,       REFUSED, "not trusted here"),
    Case("openpgp", "key expired",        State.EXPIRED_KEY,       REFUSED, "not valid at its"),
    Case("openpgp", "signature expired",  State.EXPIRED_SIGNATURE, REFUSED, "has expired"),
    Case("openpgp", "key revoked",        State.REVOKED_KEY,       REFUSED, "was revoked"),
    Case("openpgp", "SHA-1",              State.WEAK,              REFUSED, "SHA-1"),
    Case("openpgp", "MD5",                State.WEAK,              REFUSED, "MD5"),
    Case("openpgp", "key short",          State.WEAK,              REFUSED, "1024 bits"),
    Case("ssh",     "good",               State.GOOD,              TAKEN,   "good@upstream"),
    Case("ssh",     "of other content",   State.BAD,               REFUSED, "does not match"),
    Case("ssh",     "cut off",            State.MALFORMED,         REFUSED, "cannot be read"),
    Case("ssh",     "key unknown",        State.UNKNOWN_KEY,       REFUSED, "not trusted here"),
    Case("ssh",     "key expired",        State.EXPIRED_KEY,       REFUSED, "valid-before=2025"),
    Case("ssh",     "key not yet valid",  State.EXPIRED_KEY,       REFUSED, "valid-after=2026"),
    Case("ssh",     "key not for Git",    State.EXPIRED_KEY,       REFUSED, "not valid for Git"),
    Case("ssh",     "key revoked",        State.REVOKED_KEY,       REFUSED, "was revoked"),
    Case("ssh",     "key short",          State.WEAK,              REFUSED, "1024 bits"),
    Case("ssh",     "of another purpose", State.BAD,               REFUSED, "made for 'file'"),
    Case("x509",    "any",                State.MALFORMED,         REFUSED, "not supported"),
]  # fmt: skip


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    """Return a mirror without any refs."""
    return Objects(tmp_path / "mirror.git")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return an app whose gates verify signatures."""
    made = World(tmp_path / "world")
    yield made
    made.close()


def signer(signers: Signers, case: Case) -> Sign | None:
    """Return the function that makes the signature of a case."""
    openpgp, ssh = signers.by_openpgp, signers.by_ssh
    weak = ("--allow-weak-digest-algos", "--digest-algo")
    known: dict[str, Sign | None] = {
        "openpgp good": openpgp("good"),
        "openpgp good by subkey": openpgp("careful"),
        "openpgp absent": None,
        "openpgp of other content": lambda payload: openpgp("good")(payload + b"x"),
        "openpgp cut off": lambda payload: openpgp("good")(payload)[:100],
        "openpgp no armor": lambda _: b"-----BEGIN PGP SIGNATURE-----\n\nx\n",
        "openpgp key unknown": openpgp("unknown"),
        "openpgp key of a forge": openpgp("forge"),
        "openpgp key expired": openpgp("expired", at="20200101T010000"),
        "openpgp signature expired": openpgp("good", "--default-sig-expire", "1d"),
        "openpgp key revoked": openpgp("revoked"),
        "openpgp SHA-1": openpgp("old", *weak, "SHA1"),
        "openpgp MD5": openpgp("old", *weak, "MD5"),
        "openpgp key short": openpgp("short", "--digest-algo", "SHA256"),
        "ssh good": ssh("good"),
        "ssh of other content": lambda payload: ssh("good")(payload + b"x"),
        "ssh cut off": lambda payload: ssh("good")(payload)[:100],
        "ssh key unknown": ssh("unknown"),
        "ssh key expired": ssh("expired"),
        "ssh key not yet valid": ssh("future"),
        "ssh key not for Git": ssh("other"),
        "ssh key revoked": ssh("revoked"),
        "ssh key short": ssh("short"),
        "ssh of another purpose": ssh("good", "file"),
        "x509 any": lambda _: (
            b"-----BEGIN SIGNED MESSAGE-----\nMIIB\n-----END SIGNED MESSAGE-----\n"
        ),
    }
    return known[f"{case.kind} {case.state}"]


@pytest.mark.parametrize("where", ["commit", "tag"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.state}")
def test_matrix(signers: Signers, objects: Objects, world: World, case: Case, where: str) -> None:
    sign = signer(signers, case)
    if where == "commit":
        commit = objects.commit("message", sign)
    else:
        commit = objects.commit("message")
        objects.tag("v1.0", commit, sign)
    found = verify(str(objects.directory), commit, where, "", signers.keys)
    assert [signature.state for signature in found] == [case.verdict], found
    assert case.says in str(found[0])
    world.worker.signatures = tuple(found)
    for policy, expected in (
        ("off", TAKEN),
        ("warn", TAKEN if case.enforce == TAKEN else WARNED),
        ("enforce", case.enforce),
    ):
        world.settings = settings(world.root, trust__signatures=policy, trust__on=where)
        verdict = signatures.signatures(world.app, commit)
        got = (WARNED if verdict.warns else TAKEN) if verdict.passes else REFUSED
        assert got == expected, f"with {policy}: {verdict.reason}"
        assert not verdict.forceable


def states(found: list[Signature]) -> list[State]:
    """Return the states of signatures."""
    return [signature.state for signature in found]


def test_merge_by_a_forge_counts_once_its_key_is_listed(signers: Signers, objects: Objects) -> None:
    commit = objects.commit("Merge pull request", signers.by_openpgp("forge"))
    mirror, keys = str(objects.directory), signers.keys
    assert states(verify(mirror, commit, "commit", "", keys)) == [State.UNKNOWN_KEY]
    more = keys._replace(openpgp=(*keys.openpgp, ("forge.asc", signers.openpgp("forge"))))
    assert states(verify(mirror, commit, "commit", "", more)) == [State.GOOD]


def test_fingerprint_of_the_primary_key_covers_its_subkeys(
    signers: Signers, objects: Objects
) -> None:
    commit = objects.commit("message", signers.by_openpgp("careful"))
    found = tuple(verify(str(objects.directory), commit, "commit", "", signers.keys))
    primary, other = signers.fingerprints["careful"], signers.fingerprints["good"]
    assert found[0].fingerprints[-1] == primary != found[0].fingerprints[0]
    assert signatures.weigh(Trust("enforce", "commit", (primary,)), found)[0]
    assert not signatures.weigh(Trust("enforce", "commit", (other,)), found)[0]


def test_both(signers: Signers, objects: Objects) -> None:
    commit = objects.commit("message", signers.by_ssh("good"))
    objects.tag("v1.0", commit, signers.by_openpgp("good"))
    found = verify(str(objects.directory), commit, "both", "v1.0", signers.keys)
    assert [signature.of for signature in found] == ["commit", "tag v1.0"]
    assert states(found) == [State.GOOD, State.GOOD]


def test_tag_that_is_shown_under_another_name(signers: Signers, objects: Objects) -> None:
    """An old release under the name of a new one; the signature itself is good."""
    commit = objects.commit("message")
    objects.tag("v1.0", commit, signers.by_openpgp("good"), place="v9.0")
    (found,) = verify(str(objects.directory), commit, "tag", "v9.0", signers.keys)
    assert (found.of, found.state) == ("tag v9.0", State.BAD)
    assert "a tag called 'v1.0'" in found.detail


def test_signed_tag_of_another_tag_does_not_count_for_the_commit(
    signers: Signers, objects: Objects
) -> None:
    commit = objects.commit("message")
    inner = objects.tag("inner", commit)
    payload = objects.tag_payload("outer", inner, "tag")
    objects.raw_tag("outer", payload + signers.by_openpgp("good")(payload))
    # Some versions of Git do not find it at all.
    found = verify(str(objects.directory), commit, "tag", "outer", signers.keys)
    assert State.GOOD not in states(found)


def test_one_good_signature_of_two_does_not_vouch(signers: Signers, objects: Objects) -> None:
    payload = objects.payload("message")
    twice = signers.by_openpgp("unknown")(payload) + signers.by_openpgp("good")(payload)
    commit = objects.raw_commit("message", twice)
    found = verify(str(objects.directory), commit, "commit", "", signers.keys)
    assert states(found) == [State.MALFORMED]
    assert "several" in found[0].detail


def test_lightweight_tag(signers: Signers, objects: Objects) -> None:
    commit = objects.commit("message", signers.by_openpgp("good"))
    objects.ref("v1.0", commit)
    found = verify(str(objects.directory), commit, "tag", "", signers.keys)
    assert states(found) == [State.NONE]


def test_any_signed_tag_is_enough_for_a_branch(signers: Signers, objects: Objects) -> None:
    commit = objects.commit("message")
    objects.tag("v1.0", commit)
    objects.tag("v1.0-final", commit, signers.by_ssh("good"))
    found = verify(str(objects.directory), commit, "tag", "", signers.keys)
    assert sorted(states(found)) == sorted([State.NONE, State.GOOD])
    assert verify(str(objects.directory), objects.commit("other"), "tag", "", signers.keys) == []


def test_what_a_build_left_in_the_mirror_does_not_count(signers: Signers, objects: Objects) -> None:
    """Configuration, keys, grafts, and an object with the name of another."""
    liar = objects.directory / "liar"
    liar.write_text('#!/bin/sh\necho "[GNUPG:] GOODSIG 1 x" >&2; exit 0\n')
    liar.chmod(0o755)
    for key in ("gpg.program", "gpg.openpgp.program", "gpg.ssh.program"):
        run("git", "-C", objects.directory, "config", key, liar)
    commit = objects.commit("message", signers.by_openpgp("unknown"))
    found = verify(str(objects.directory), commit, "commit", "", signers.keys)
    assert states(found) == [State.UNKNOWN_KEY]


def test_keys_of_one_kind_do_not_vouch_for_the_other(signers: Signers, objects: Objects) -> None:
    mirror, keys = str(objects.directory), signers.keys
    by_ssh = objects.commit("ssh", signers.by_ssh("good"))
    by_openpgp = objects.commit("openpgp", signers.by_openpgp("good"))
    only_openpgp, only_ssh = Keys(keys.openpgp), Keys((), keys.allowed_signers)
    assert states(verify(mirror, by_ssh, "commit", "", only_openpgp)) == [State.UNKNOWN_KEY]
    assert states(verify(mirror, by_openpgp, "commit", "", only_ssh)) == [State.UNKNOWN_KEY]


def test_file_without_a_key(signers: Signers, objects: Objects) -> None:
    commit = objects.commit("message", signers.by_openpgp("good"))
    keys = Keys((("odd.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nx\n"),))
    (found,) = verify(str(objects.directory), commit, "commit", "", keys)
    assert (found.state, found.detail) == (State.UNVERIFIABLE, "odd.asc contains no OpenPGP key")


def test_ssh_keygen_that_is_missing(
    signers: Signers, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    commit = objects.commit("message", signers.by_ssh("good"))
    (found,) = verify(str(objects.directory), commit, "commit", "", signers.keys)
    assert found.state is State.UNVERIFIABLE
    assert "apt install openssh-client" in str(found)


def test_no_process_of_gpg_is_left(
    signers: Signers, objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    commit = objects.commit("message", signers.by_openpgp("good"))
    verify(str(objects.directory), commit, "commit", "", signers.keys)
    assert sorted(os.listdir(tmp_path)) == ["mirror.git"]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        assert str(tmp_path).encode() not in words
