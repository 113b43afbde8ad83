"""signature: which signatures are accepted, which keys are trusted, and keys that are removed."""

import os
from pathlib import Path
from typing import Any

import pytest

from autoupdate.config.sections import Trust
from autoupdate.gates import trusted_keys
from autoupdate.gates.signatures import weigh
from autoupdate.model.errors import ConfigurationError, DamagedMirrorError, Exit
from autoupdate.model.signatures import Keys, Signature, State, from_answer
from autoupdate.model.steps import Result
from autoupdate.reports.status import status
from tests.unit.effects import commit
from tests.unit.world import World, settings

FIRST, SECOND = "A" * 40, "B" * 40
SIGNED = Signature("commit", State.GOOD, f"OpenPGP {FIRST} Author <a@b>", (SECOND, FIRST))
TAG = Signature("tag v1.0", State.GOOD, "SSH SHA256:x a@b", ("SHA256:x",))
UNSIGNED = Signature("commit", State.NONE)


def sign(world: World, *signatures: Signature, policy: str = "enforce", **changes: Any) -> None:
    """Set the signatures of the next commits, and `trust.signatures`."""
    world.settings = settings(world.root, trust__signatures=policy, **changes)
    world.worker.signatures = signatures


def shown(world: World) -> dict[str, Any]:
    """Return what `status` reports of the current release."""
    current = status(world.settings, world.paths, world.services)["current"]
    assert isinstance(current, dict)
    return current


def test_signed_commit_is_deployed_and_its_signer_shown(world: World) -> None:
    sign(world, SIGNED)
    assert world.deploy(1).result is Result.UPDATED
    current = shown(world)
    assert current["signer"] == SIGNED.signer
    assert current["trusted"] is True
    assert world.records.releases()[0].signer == SIGNED.signer


def test_unsigned_commit_is_refused_even_if_forced(world: World) -> None:
    sign(world, SIGNED)
    world.deploy(1)
    world.worker.signatures = (UNSIGNED,)
    refused = world.deploy(2)
    assert (refused.result, refused.exit_code) == (Result.DEFERRED, Exit.DONE)
    assert "commit has no signature" in refused.reason
    assert world.log.kinds[-1] == "refused"
    assert world.run(force=True).result is Result.DEFERRED
    assert world.records.quarantined() == []
    assert world.current_commit() == commit(1)
    # The same commit, signed by now, is deployed without further action.
    world.worker.signatures = (SIGNED,)
    assert world.run().result is Result.UPDATED


def test_first_deployment_that_is_refused_is_a_failure(world: World) -> None:
    sign(world, UNSIGNED)
    assert world.deploy(1).exit_code == Exit.FAILED


def test_warning(world: World) -> None:
    sign(world, UNSIGNED, policy="warn")
    assert world.deploy(1).result is Result.UPDATED
    assert [e.message for e in world.log.events if e.kind.name == "unsigned"] == [
        f"{world.app.name}: commit has no signature"
    ]
    assert (shown(world)["signer"], shown(world)["trusted"]) == (None, False)
    assert "untrusted" not in world.log.kinds, "it was reported once"


def test_off_costs_nothing(world: World) -> None:
    world.deploy(1)
    assert "verify" not in world.worker.calls
    assert shown(world)["trusted"] is None


@pytest.mark.parametrize(
    ("on", "found", "passes", "says"),
    [
        ("commit", (SIGNED,), True, f"commit is signed by {SIGNED.signer}"),
        ("tag", (TAG,), True, "tag v1.0 is signed by SSH SHA256:x a@b"),
        ("tag", (TAG._replace(state=State.NONE, signer=""), TAG), True, "tag v1.0 is signed"),
        ("tag", (), False, "no fetched tag points to it"),
        ("both", (SIGNED, TAG), True, "; tag v1.0 is signed by"),
        ("both", (UNSIGNED, TAG), False, "commit has no signature"),
        ("both", (SIGNED,), False, "no fetched tag"),
        ("commit", (), False, "no signature of the commit was verified"),
        ("commit", (TAG,), False, "no signature of the commit was verified"),
        ("tag", (SIGNED,), False, "no fetched tag"),
    ],
)
def test_whose_signature_counts(
    on: str, found: tuple[Signature, ...], passes: bool, says: str
) -> None:
    trusted, signer, reason = weigh(Trust("enforce", on, ()), found)
    assert trusted is passes
    assert bool(signer) is passes
    assert says in reason


@pytest.mark.parametrize(
    ("listed", "passes"), [((FIRST,), True), ((SECOND,), True), (("C" * 40,), False), ((), True)]
)
def test_list_of_fingerprints(listed: tuple[str, ...], passes: bool) -> None:
    trusted, _, reason = weigh(Trust("enforce", "commit", listed), (SIGNED,))
    assert trusted is passes
    assert passes or f"trust.fingerprints does not list: {SIGNED.signer}" in reason


@pytest.mark.parametrize(
    "answer", [None, {}, [None], [{}], [{"state": "good"}], [{"state": ["x"], "fingerprints": 1}]]
)
def test_answer_of_a_worker_that_is_not_valid_is_not_a_good_signature(answer: Any) -> None:
    assert all(signature.state is State.MALFORMED for signature in from_answer(answer))
    assert from_answer([SIGNED._asdict() | {"fingerprints": [SECOND, FIRST]}]) == (SIGNED,)


def test_the_tag_that_chose_the_commit_is_verified(world: World) -> None:
    sign(world, TAG, trust__on="tag", upstream__track="tag:v*")
    world.tag = "v1.0"
    assert world.deploy(1).result is Result.UPDATED
    assert world.worker.verified[0] == (commit(1), "tag", "v1.0")
    assert world.worker.fetched == [("refs/tags/v1.0", ("v1.0",))]


def test_any_tag_is_enough_for_a_branch_and_for_a_pin(world: World) -> None:
    sign(world, TAG, trust__on="tag")
    world.deploy(1)
    assert world.worker.verified[0] == (commit(1), "tag", "")
    assert world.worker.fetched == [("refs/heads/main", ("*",))]
    world.settings = settings(
        world.root, trust__signatures="enforce", trust__on="tag", upstream__track="tag:v*"
    )
    world.records.write("INSERT INTO pin VALUES (1, ?, 'now')", [commit(2)])
    world.run()
    assert world.worker.verified[-1] == (commit(2), "tag", "")
    assert world.worker.fetched[-1] == (commit(2), ("*",))


def test_current_release_is_not_trusted_after_its_key_is_removed(world: World) -> None:
    sign(world, SIGNED)
    world.deploy(1)
    asked = len(world.worker.verified)
    world.run()
    assert len(world.worker.verified) == asked, (
        "nothing is verified again while the keys are the same"
    )
    world.keys = Keys((("other.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----"),))
    world.worker.signatures = (SIGNED._replace(state=State.UNKNOWN_KEY),)
    assert world.run().result is Result.CURRENT, "it is kept"
    current = shown(world)
    assert current["trusted"] is False
    assert current["signer"] == SIGNED.signer
    assert "not trusted here" in current["trust_reason"]
    assert world.log.kinds.count("untrusted") == 1
    world.run()
    assert world.log.kinds.count("untrusted") == 1, "reported once"
    # Once a day it is verified again, because keys expire.
    world.clock.ahead = 25 * 3600
    world.worker.signatures = (SIGNED,)
    world.run()
    assert shown(world)["trusted"] is True


def test_current_release_is_verified_when_the_policy_is_set_later(world: World) -> None:
    world.deploy(1)
    sign(world, UNSIGNED)
    assert world.run().result is Result.CURRENT
    assert shown(world)["trusted"] is False
    assert "untrusted" in world.log.kinds


def test_mirror_that_cannot_be_read_does_not_make_a_current_release_a_failure(world: World) -> None:
    sign(world, SIGNED)
    world.deploy(1)
    world.keys = Keys(allowed_signers="x")
    world.worker.faults["verify"] = DamagedMirrorError("repo.git: commit cannot be read")
    assert world.run().result is Result.CURRENT
    assert any("cannot verify whether release" in event.message for event in world.log.events)


def test_keys_that_cannot_be_used_refuse_every_commit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign(world, SIGNED)
    world.deploy(1)

    def fail() -> Keys:
        raise ConfigurationError(
            "keys are not trusted: x can be written by users other than root", "chmod"
        )

    app = world.app._replace(trusted_keys=fail)
    monkeypatch.setattr(World, "app", app)
    refused = world.deploy(2)
    assert refused.result is Result.DEFERRED
    assert "x can be written by users other than root" in refused.reason
    assert world.log.kinds.count("untrusted") == 1
    world.run()
    assert world.log.kinds.count("untrusted") == 1


KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nx\n"


def read(directory: Path) -> Keys:
    """Read keys as on a host whose root is the test's."""
    return trusted_keys.read(str(directory), top=str(directory.parent), owner=os.geteuid())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory with a key of each kind."""
    tmp_path.chmod(0o755)
    made = tmp_path / "keys"
    made.mkdir(mode=0o755)
    for name, text in (("a.asc", KEY), ("allowed_signers", "a ssh-ed25519 AAAA\n"), (".a.swp", "")):
        (made / name).write_text(text)
        (made / name).chmod(0o644)
    return made


def test_keys_are_read(directory: Path) -> None:
    assert read(directory) == Keys((("a.asc", KEY),), "a ssh-ed25519 AAAA\n", "")


@pytest.mark.parametrize("place", ["a.asc", "allowed_signers", "."])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_keys_that_others_can_write_are_refused(directory: Path, place: str, mode: int) -> None:
    path = directory / place
    path.chmod(path.stat().st_mode | mode)
    refusal = "can be written by users other than root"
    with pytest.raises(ConfigurationError, match=refusal) as caught:
        read(directory)
    assert "chmod -R go-w" in caught.value.advice


def test_keys_of_others_are_refused(directory: Path) -> None:
    with pytest.raises(ConfigurationError, match="belongs to user"):
        trusted_keys.read(str(directory), top=str(directory.parent), owner=os.geteuid() + 1)


def test_link_to_what_others_can_write(directory: Path) -> None:
    (directory.parent / "theirs").mkdir()
    (directory.parent / "theirs").chmod(0o777)
    (directory.parent / "theirs" / "b.asc").write_text(KEY)
    (directory / "b.asc").symlink_to(directory.parent / "theirs" / "b.asc")
    with pytest.raises(ConfigurationError, match="theirs can be written by users other than root"):
        read(directory)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("b.asc", b"\x99\x01", "is not text"),
        ("b.asc", b"hello", "is not an ASCII-armored OpenPGP key"),
        ("b.asc", KEY.replace("PUBLIC", "PRIVATE").encode(), "contains a secret key"),
        ("b.asc", KEY.encode() + b"x" * (5 << 20), "larger than"),
        ("b.gpg", b"", "only *.asc, allowed_signers and revoked_keys"),
    ],
)
def test_file_with_another_content(directory: Path, name: str, content: bytes, says: str) -> None:
    (directory / name).write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        read(directory)
    assert says in caught.value.message
    assert name in caught.value.message


@pytest.mark.parametrize("left", [[], [".a.swp"]])
def test_no_keys(directory: Path, left: list[str]) -> None:
    for path in directory.iterdir():
        if path.name not in left:
            path.unlink()
    if not left:
        directory.rmdir()
    with pytest.raises(ConfigurationError, match="there is no trusted key in"):
        read(directory)
