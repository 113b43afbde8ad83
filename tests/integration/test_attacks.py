"""The attacks on updaters that The Update Framework lists, each by a real server.

| attack             | what is shown to the host              | what the administrator reads       |
|--------------------|----------------------------------------|------------------------------------|
| arbitrary software | a commit that nobody trusted signed    | commit has no signature            |
| rollback           | an older commit, signed as ever        | downgrade: it is an ancestor of ...|
| fast-forward       | a version too high for any true one    | tag v999.0 has no signature        |
| freeze             | the same commit for ever               | last new commit seen ...           |
| endless data       | see test_endless.py                    | sends more than guard.max_fetch    |
| mix-and-match      | a signed old tag under a new name      | it belongs to a tag called 'v2.0'  |
| extraneous         | another package under the name of one  | do not match the hashes            |
|   dependencies     |   that upstream names with its hash    |                                    |
| wrong software     | another project of a trusted key       | rewritten history: ...             |
| key compromise     | a commit by a stolen key               | a key that was revoked             |
"""

import hashlib
import os
import re
import zipfile
from pathlib import Path

import pytest

from autoupdate.cli.render.status import status as in_words
from autoupdate.cli.render.when import ago
from autoupdate.model.commits import short
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from autoupdate.reports.status import status
from tests.integration.signers import Signers
from tests.integration.site import APP, NoServices, Site
from tools.lib.bench.index import Index
from tools.lib.hosts.commands import run
from tools.lib.hosts.upstream import Upstream

LATER = "2099-01-01T00:00:00Z"
"""The time at which `status` is read."""


class Guarded:
    """A host that accepts only signed commits, and an upstream that signs."""

    def __init__(self, site: Site, signers: Signers) -> None:
        self.site = site
        self.signers = signers
        self.upstream = site.upstream
        # A copy of the dictionary: other tests share the original.
        self.upstream.environment = {**site.upstream.environment, "GNUPGHOME": str(signers.home)}
        self.policy: dict[str, str] = {}
        self.trust("good")

    def trust(self, *names: str) -> None:
        """Make these keys the only trusted ones."""
        directory = Path(self.site.paths.keys(APP))
        directory.mkdir(parents=True, exist_ok=True)
        for name in os.listdir(directory):
            (directory / name).unlink()
        known = dict(self.signers.keys.openpgp)
        for name in names:
            text = known.get(f"{name}.asc") or self.signers.openpgp(name)
            (directory / f"{name}.asc").write_text(text)

    def configure(self, **policy: str) -> None:
        """Enforce signatures."""
        self.site.configure(trust__signatures="enforce", **policy)

    def commit(self, version: int, key: str = "good") -> str:
        """Publish a commit that is signed by a key, or not signed."""
        return self.upstream.commit(version, options=self.by(key))

    def tag(self, name: str, key: str = "good") -> None:
        """Publish a tag of the last commit that is signed by a key, or not signed."""
        option = ("--local-user", self.signers.fingerprints[key]) if key else ("--annotate",)
        self.upstream.tag(name, "HEAD", *option, "--message=a version")

    def by(self, key: str) -> tuple[str, ...]:
        """Return the options that make git sign with a key."""
        return (f"--gpg-sign={self.signers.fingerprints[key]}",) if key else ()

    def refuses(self, line: str) -> bool:
        """Do one run; return whether it changed nothing and gave this reason."""
        before, told = self.site.current, len(self.site.log.messages("refused"))
        outcome = self.site.run()
        lines = self.site.log.messages("refused")[told:]
        assert len(lines) == 1, outcome
        assert line in lines[0]
        assert (outcome.result, outcome.exit_code) == (Result.DEFERRED, Exit.DONE)
        return self.site.current == before and self.site.releases() == [before]


@pytest.fixture
def guarded(deployed: Site, signers: Signers) -> Guarded:
    """Return a host with version 2, signed."""
    deployed.builds = False
    made = Guarded(deployed, signers)
    made.configure()
    commit = made.commit(2)
    assert deployed.updates_to(commit), deployed.log.events[-1].message
    for release in deployed.releases():
        if release != deployed.current:
            # Version 1, from before there were signatures.
            run("rm", "-rf", deployed.app_paths.release(release), deployed.app_paths.previous)
    return made


def lines(site: Site) -> str:
    """Return what `status` says, without colours and line ends."""
    app = site.app()
    app.records.close()
    text = in_words(status(app.settings, app.paths, NoServices()), LATER)
    return " ".join(re.sub("\033\\[[0-9;]*m", "", text).split())


def test_arbitrary_software(guarded: Guarded) -> None:
    commit = guarded.commit(3, key="")
    assert guarded.refuses(f"commit {short(commit)} is not deployed: commit has no signature")
    guarded.commit(4, key="unknown")
    assert guarded.refuses("is signed by a key that is not trusted here: OpenPGP")
    assert "is not trusted here" in lines(guarded.site)
    # A signed commit on top of it is accepted: the signer vouches for its history.
    assert guarded.site.updates_to(guarded.commit(5))
    assert f"signed by OpenPGP {guarded.signers.fingerprints['good']}" in lines(guarded.site)


def test_rollback(guarded: Guarded) -> None:
    second = guarded.upstream.head()
    third = guarded.commit(3)
    assert guarded.site.updates_to(third)
    guarded.upstream.rewind(second)
    outcome = guarded.site.run()
    assert outcome.exit_code == Exit.DONE
    assert (
        f"commit {short(second)} is not deployed: downgrade: it is an ancestor of commit"
        f" {short(third)}, which was deployed here" in (guarded.site.log.messages("refused")[-1])
    )
    # Also not when the host has lost its state: the second copy has the high-water mark.
    Path(guarded.site.app_paths.state).unlink()
    assert "downgrade" in guarded.site.run().reason


def test_rollback_to_an_older_version(guarded: Guarded) -> None:
    guarded.configure(trust__on="tag", upstream__track="semver:>=1")
    guarded.commit(3)
    guarded.tag("v1.0")
    fourth = guarded.commit(4)
    guarded.tag("v2.0")
    assert guarded.site.updates_to(fourth)
    run("git", "-C", guarded.upstream.bare, "update-ref", "-d", "refs/tags/v2.0")
    outcome = guarded.site.run()
    assert outcome.result is Result.DEFERRED
    assert "downgrade: tag v1.0 is a lower version than v2.0" in outcome.reason


def test_fast_forward(guarded: Guarded) -> None:
    guarded.configure(trust__on="tag", upstream__track="semver:>=1")
    guarded.commit(3)
    guarded.tag("v999.0", key="")
    assert guarded.refuses("tag v999.0 has no signature")
    # When upstream has removed it, real versions are not lower than any other.
    run("git", "-C", guarded.upstream.bare, "update-ref", "-d", "refs/tags/v999.0")
    fourth = guarded.commit(4)
    guarded.tag("v2.1")
    assert guarded.site.updates_to(fourth)


def test_freeze(guarded: Guarded) -> None:
    """It looks like a project without changes, so `status` must say since when there were none."""
    frozen = guarded.site.server.directory.parent / "frozen"
    run("cp", "--archive", guarded.site.server.directory, frozen)
    guarded.commit(3)
    guarded.site.server.directory = frozen
    try:
        outcome = guarded.site.run()
    finally:
        guarded.site.server.directory = frozen.parent / "served"
    assert outcome.result is Result.CURRENT
    app = guarded.site.app()
    candidate = app.records.candidate()
    app.records.close()
    assert candidate is not None
    assert f"last new commit seen {ago(candidate.seen_at, LATER)}" in lines(guarded.site)


def test_mix_and_match(guarded: Guarded) -> None:
    """Each part is genuine and signed, but they were never released together."""
    guarded.configure(trust__on="tag", upstream__track="semver:>=1")
    guarded.tag("v2.0")
    third = guarded.commit(3)
    guarded.tag("v3.0")
    assert guarded.site.updates_to(third)
    bare = guarded.upstream.bare
    run("git", "-C", bare, "update-ref", "refs/tags/v9.0", "refs/tags/v2.0")
    assert "it belongs to a tag called 'v2.0'" in guarded.site.run().reason
    run("git", "-C", bare, "update-ref", "-d", "refs/tags/v9.0")
    # The tree of one commit with the signature of another.
    text = run("git", "-C", bare, "cat-file", "commit", third).stdout
    tree = guarded.upstream.git("rev-parse", f"{third}~1^{{tree}}")
    mixed = text.replace(text.split()[1], tree).replace("parent ", f"parent {third}\nparent ", 1)
    made = run(
        "git", "-C", bare, "hash-object", "-t", "commit", "-w", "--stdin", input=mixed
    ).stdout.strip()
    run("git", "-C", bare, "update-ref", "refs/heads/main", made)
    guarded.configure(upstream__track="branch:main")
    assert "commit has a signature that does not match its content" in guarded.site.run().reason


def wheel(directory: Path, name: str, needs: str = "") -> str:
    """Write the wheel of a package, perhaps one that needs another; return its digest."""
    module = f"autoupdate_{name}"
    facts = f"{module}-1.0.dist-info"
    needed = f"Requires-Dist: autoupdate-{needs}\n" if needs else ""
    metadata = f"Metadata-Version: 2.1\nName: autoupdate-{name}\nVersion: 1.0\n{needed}"
    file = directory / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{module}.py", "")
        archive.writestr(f"{facts}/METADATA", metadata)
        archive.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        archive.writestr(f"{facts}/RECORD", "")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_extraneous_dependencies(guarded: Guarded, tmp_path: Path) -> None:
    """Dependencies that the commit names, and others that the index adds to these.

    Upstream can prevent the latter with hashes: without them the index is trusted.
    """
    guarded.site.builds = True
    wheel(tmp_path, "extra")
    true = wheel(tmp_path, "wanted")
    wheel(tmp_path, "wanted", needs="extra")
    index = Index(tmp_path)
    index.start()
    try:
        at = f"--index-url {index.url}"
        more = guarded.upstream.commit(3, requirements=(at, "autoupdate-extra"))
        assert guarded.refuses(f"commit {short(more)} is not deployed: commit has no signature")
        assert index.requests == []
        named = (at, f"autoupdate-wanted==1.0 --hash=sha256:{true}")
        commit = guarded.upstream.commit(4, requirements=named, options=guarded.by("good"))
        before = guarded.site.current
        outcome = guarded.site.run()
        assert (outcome.result, outcome.exit_code) == (Result.FAILED, Exit.FAILED)
        assert f"to commit {short(commit)} failed in step build" in outcome.reason
        assert "DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE" in outcome.reason
        assert guarded.site.current == before
        assert not any("extra" in request for request in index.requests)
    finally:
        index.stop()


def test_wrong_software(guarded: Guarded) -> None:
    """Another project of the same people, signed by the same key."""
    site = guarded.site
    other = Upstream(site.directory / "elsewhere", site.server, name="other")
    other.environment = guarded.upstream.environment
    other.commit(7, options=guarded.by("good"))
    wanted = site.server.directory / "ipfs_accelerate_py.git"
    wanted.rename(site.server.directory / "aside.git")
    (site.server.directory / "other.git").rename(wanted)
    assert guarded.refuses("rewritten history: it does not descend from deployed commit")


def test_key_compromise(guarded: Guarded) -> None:
    """A stolen key works until the administrator revokes it; then its signatures do not count."""
    stolen = guarded.commit(3, key="revoked")
    guarded.trust("good", "forge")
    assert guarded.refuses("is signed by a key that is not trusted here")
    directory = Path(guarded.site.paths.keys(APP))
    (directory / "revoked.asc").write_text(guarded.signers.openpgp("revoked"))
    assert guarded.site.updates_to(stolen)
    # The revoked copy of the key replaces the other.
    guarded.trust("good", "revoked")
    outcome = guarded.site.run()
    assert outcome.result is Result.CURRENT, "the services go on"
    assert (
        "is no longer trusted: commit is signed by a key that was revoked"
        in (guarded.site.log.messages("untrusted")[-1])
    )
    assert "not trusted: commit is signed by a key that was revoked" in lines(guarded.site)
    guarded.commit(4, key="revoked")
    assert "is signed by a key that was revoked" in guarded.site.run().reason
    assert guarded.site.updates_to(guarded.commit(5)), "rotation: the other key was there before"
    assert "not trusted" not in lines(guarded.site)
