"""Signatures of commits and tags, and the keys that verify them: data between run and worker."""

from enum import StrEnum
from typing import Any, NamedTuple


class State(StrEnum):
    """The result of verifying a signature; the value is part of a sentence."""

    GOOD = "is signed by"
    NONE = "has no signature"
    BAD = "has a signature that does not match its content"
    MALFORMED = "has a signature that cannot be read"
    UNKNOWN_KEY = "is signed by a key that is not trusted here"
    EXPIRED_KEY = "is signed by a key that is not valid at its time"
    EXPIRED_SIGNATURE = "has a signature that has expired"
    REVOKED_KEY = "is signed by a key that was revoked"
    WEAK = "has a signature that is too weak"
    NOT_LISTED = "is signed by a key that trust.fingerprints does not list"
    UNVERIFIABLE = "has a signature that cannot be verified on this host"


class Keys(NamedTuple):
    """The trusted keys: OpenPGP keys as (file name, text), and the texts of the SSH files."""

    openpgp: tuple[tuple[str, str], ...] = ()
    allowed_signers: str = ""
    revoked_keys: str = ""


class Signature(NamedTuple):
    """The signature of one object; `signer` is empty if unknown, `detail` if there is none."""

    of: str
    """Either `commit`, or `tag` and its name."""
    state: State
    signer: str = ""
    fingerprints: tuple[str, ...] = ()
    """That of the key; for OpenPGP also that of its primary key."""
    detail: str = ""

    def __str__(self) -> str:
        """Return it as a sentence."""
        signer = f" {self.signer}" if self.state is State.GOOD else ""
        by = f": {self.signer}" if self.signer and not signer else ""
        return f"{self.of} {self.state}{signer}{by}{f' ({self.detail})' if self.detail else ''}"


def from_answer(items: Any) -> tuple[Signature, ...]:
    """Parse the signatures in the worker's answer; one that is not valid counts as MALFORMED."""
    found = []
    for item in items if isinstance(items, list) else ():
        facts = item if isinstance(item, dict) else {}
        word = facts.get("state")
        state = State(word) if word in list(State) else State.MALFORMED
        fingerprints = facts.get("fingerprints")
        found.append(
            Signature(
                str(facts.get("of", "commit")),
                state,
                str(facts.get("signer", "")),
                tuple(map(str, fingerprints)) if isinstance(fingerprints, list) else (),
                str(facts.get("detail", "")),
            )
        )
    return tuple(found)
