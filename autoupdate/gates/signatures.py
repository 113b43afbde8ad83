"""verify: may a commit be taken, by its signatures and the keys that are trusted on this host?

What is found is kept for each commit. So `status` can tell any user who signed the current release
and whether it is still trusted; a run judges that anew when keys or settings have changed.
"""

from typing import NamedTuple

from autoupdate.app import App
from autoupdate.config.settings import Trust
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
# Keys also expire: the current release is judged again after so many seconds.
VALID_FOR = 24 * 3600


class Judgement(NamedTuple):
    """Whether a commit is trusted, who signed it, why, on which basis, and since when."""

    commit: str
    passes: bool
    signer: str
    reason: str
    basis: str
    at: str


def signatures(app: App, commit: str) -> Verdict:
    """Say whether a candidate is signed as the host's policy wants it."""
    policy = app.settings.trust.signatures
    if policy == "off":
        return Verdict(GATE, True, "signatures are not looked at (trust.signatures)")
    judged = judge(app, commit, tag_of(app, commit))
    if judged.passes or policy == "warn":
        return Verdict(GATE, True, judged.reason, warns=not judged.passes)
    return Verdict(GATE, False, judged.reason, ADVICE)


def judge(app: App, commit: str, tag: str) -> Judgement:
    """Verify a commit by the keys that are trusted now, and keep what came out."""
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
    """Return whether signatures suffice, whose they are, and why they do or do not."""
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
    """Say what there is not."""
    return "no tag that was fetched leads to it" if tag else "nothing was verified"


def against_list(trust: Trust, signature: Signature) -> Signature:
    """Hold a good signature against the list of fingerprints, if there is one."""
    if signature.state is not State.GOOD or not trust.fingerprints:
        return signature
    if set(signature.fingerprints) & set(trust.fingerprints):
        return signature
    return signature._replace(state=State.NOT_LISTED)


def review(app: App) -> None:
    """Judge the current release once more if keys or settings are other ones; tell if that fell."""
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
        reason = f"whether release {release.id} is still trusted is not known: {error.message}"
        app.tell(STEP, f"{app.name}: {reason}", commit=release.commit, release=release.id)
        return
    if not now.passes and (before is None or before.passes):
        reason = f"{app.name}: release {release.id} is no longer trusted: {now.reason}"
        app.tell(UNTRUSTED, reason, commit=release.commit, release=release.id)


def is_valid(app: App, judged: Judgement) -> bool:
    """Tell whether a judgement was made by the present keys and settings, and not long ago."""
    age = seconds(app.clock.now()) - seconds(judged.at)
    try:
        return 0 <= age < VALID_FOR and judged.basis == basis_of(
            app.settings.trust, app.trusted_keys()
        )
    except ConfigurationError:
        return judged.basis == ""


def basis_of(trust: Trust, keys: Keys) -> str:
    """Return a short name for keys and settings, another one when any of them changes."""
    import hashlib
    import json

    return hashlib.sha256(json.dumps([trust, keys]).encode()).hexdigest()


def judgement(records: Records, commit: str) -> Judgement | None:
    """Return what was found of a commit, if it was ever looked at."""
    rows = records.rows('SELECT * FROM trusted WHERE "commit" = ?', [commit])
    return Judgement(rows[0][0], bool(rows[0][1]), *rows[0][2:]) if rows else None


def signer_of(records: Records, commit: str) -> str:
    """Return who signed a commit; empty if nobody who is trusted did, or nobody looked."""
    judged = judgement(records, commit)
    return judged.signer if judged else ""


def keep(records: Records, judged: Judgement) -> None:
    """Keep a judgement, and forget those of commits that are no longer here."""
    with records.atomic():
        records.write('DELETE FROM trusted WHERE "commit" NOT IN (SELECT "commit" FROM releases)')
        records.write("INSERT OR REPLACE INTO trusted VALUES (?, ?, ?, ?, ?, ?)", judged)
