"""signature: is a commit signed by a key that is trusted on this host?

The result is recorded for each commit, so that `status` can show any user who signed the current
release and whether it is still trusted. A run verifies it again when keys or settings change.
"""

from typing import NamedTuple

from autoupdate.app import App
from autoupdate.config.sections import Trust
from autoupdate.gates.candidate import tag_of
from autoupdate.host.links import linked_release
from autoupdate.host.log_sinks import printable
from autoupdate.model.errors import AutoupdateError, ConfigurationError
from autoupdate.model.events import STEP, UNTRUSTED
from autoupdate.model.signatures import Keys, Signature, State
from autoupdate.model.times import seconds
from autoupdate.model.verdict import Verdict
from autoupdate.records.database import StateError
from autoupdate.records.records import Records

GATE = "signature"
ADVICE = "what each verdict means: trust.md in /usr/share/doc/ipfs-accelerate-autoupdate"
# In seconds. Keys expire, so the current release is verified again after that time.
VALID_FOR = 24 * 3600


class Judgement(NamedTuple):
    """Whether a commit is trusted, who signed it, why, by which keys and settings, and when."""

    commit: str
    passes: bool
    signer: str
    reason: str
    basis: str
    at: str


def signatures(app: App, commit: str) -> Verdict:
    """Refuse a candidate without the signatures that `trust` demands."""
    policy = app.settings.trust.signatures
    if policy == "off":
        return Verdict(GATE, True, "not checked (trust.signatures = off)")
    judged = judge(app, commit, tag_of(app, commit))
    if judged.passes or policy == "warn":
        return Verdict(GATE, True, judged.reason, warns=not judged.passes)
    return Verdict(GATE, False, judged.reason, ADVICE)


def judge(app: App, commit: str, tag: str) -> Judgement:
    """Verify a commit with the keys that are trusted now, and record the result."""
    trust = app.settings.trust
    try:
        keys = app.trusted_keys()
    except ConfigurationError as error:
        passes, signer, reason, basis = False, "", f"{error.message} ({error.advice})", ""
    else:
        found = app.worker.verify(commit, trust.on, tag, keys)
        passes, signer, reason = weigh(trust, found)
        basis = basis_of(trust, keys)
    judged = Judgement(commit, passes, signer, printable(reason), basis, app.clock.now())
    keep(app.records, judged)
    return judged


def weigh(trust: Trust, found: tuple[Signature, ...]) -> tuple[bool, str, str]:
    """Return whether signatures are sufficient, who made them, and the reason."""
    held = [against_list(trust, signature) for signature in found]
    commits = [signature for signature in held if signature.of == "commit"]
    tags = [signature for signature in held if signature.of != "commit"]
    groups = {"commit": [commits], "tag": [tags], "both": [commits, tags]}[trust.on]
    signers, faults = [], []
    for group in groups:
        good = [signature for signature in group if signature.state is State.GOOD]
        if good:
            signers.append(good[0])
        else:
            faults.append(", ".join(map(str, group[:3])) or missing(group is tags))
    if faults:
        return False, "", "; ".join(faults)
    names = dict.fromkeys(signature.signer for signature in signers)
    return True, printable("; ".join(names)), "; ".join(map(str, signers))


def missing(tag: bool) -> str:
    """Return which signature is missing."""
    return "no fetched tag points to it" if tag else "no signature of the commit was verified"


def against_list(trust: Trust, signature: Signature) -> Signature:
    """Mark a good signature as not listed if `trust.fingerprints` is set and lacks its key."""
    if signature.state is not State.GOOD or not trust.fingerprints:
        return signature
    if set(signature.fingerprints) & set(trust.fingerprints):
        return signature
    return signature._replace(state=State.NOT_LISTED)


def review(app: App) -> None:
    """Verify the current release again if keys or settings changed; report if it is not trusted."""
    release = app.records.release(linked_release(app.paths.current))
    if app.settings.trust.signatures == "off" or release is None:
        return
    before = judgement(app.records, release.commit)
    if before and is_valid(app, before):
        return
    try:
        now = judge(app, release.commit, "")
    except StateError:
        raise
    except AutoupdateError as error:
        reason = f"cannot verify whether release {release.id} is still trusted: {error.message}"
        app.tell(STEP, f"{app.name}: {reason}", commit=release.commit, release=release.id)
        return
    if not now.passes and (before is None or before.passes):
        reason = f"{app.name}: release {release.id} is no longer trusted: {now.reason}"
        app.tell(UNTRUSTED, reason, commit=release.commit, release=release.id)


def is_valid(app: App, judged: Judgement) -> bool:
    """Return whether a judgement was made with the present keys and settings, and lately."""
    age = seconds(app.clock.now()) - seconds(judged.at)
    try:
        return 0 <= age < VALID_FOR and judged.basis == basis_of(
            app.settings.trust, app.trusted_keys()
        )
    except ConfigurationError:
        return judged.basis == ""


def basis_of(trust: Trust, keys: Keys) -> str:
    """Return a digest of keys and settings, to see when any of them changes."""
    import hashlib
    import json

    return hashlib.sha256(json.dumps([trust, keys]).encode()).hexdigest()


def judgement(records: Records, commit: str) -> Judgement | None:
    """Return the recorded judgement of a commit; None if it was never verified."""
    rows = records.rows('SELECT * FROM trusted WHERE "commit" = ?', [commit])
    return Judgement(rows[0][0], bool(rows[0][1]), *rows[0][2:]) if rows else None


def signer_of(records: Records, commit: str) -> str:
    """Return who signed a commit; empty without a trusted signature, or if never verified."""
    judged = judgement(records, commit)
    return judged.signer if judged else ""


def keep(records: Records, judged: Judgement) -> None:
    """Record a judgement, and remove those of commits without a release."""
    with records.atomic():
        records.write('DELETE FROM trusted WHERE "commit" NOT IN (SELECT "commit" FROM releases)')
        records.write("INSERT OR REPLACE INTO trusted VALUES (?, ?, ?, ?, ?, ?)", judged)
