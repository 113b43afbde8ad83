"""Signatures on a host: in the unit's sandbox, with the gpg and the ssh-keygen of its Debian."""

from pathlib import Path

from tests.integration.signers import Signers
from tools.lib.hosts.demo_app import DemoApp
from tools.lib.hosts.upstream import Upstream

RUN = "autoupdate@ipfs-accelerate.service"
KEYS = "/etc/autoupdate/keys/ipfs-accelerate"


def test_only_what_is_signed_runs(
    deployed_app: DemoApp, upstream: Upstream, tmp_path: Path
) -> None:
    host, signers = deployed_app.host, Signers(tmp_path)
    fingerprint = signers.fingerprints["good"]
    upstream.environment |= {"GNUPGHOME": str(signers.home)}
    host.write(f"{KEYS}/author.asc", signers.openpgp("good"))
    host.write(f"{KEYS}/allowed_signers", signers.allowed("good"))
    deployed_app.configure_more('[trust]\nsignatures = "enforce"\n')

    by_openpgp = upstream.commit(version=2, options=(f"--gpg-sign={fingerprint}",))
    host.systemctl("start", RUN, timeout=300)
    current = deployed_app.status()["current"]
    assert current["commit"] == by_openpgp
    assert current["signer"].startswith(f"OpenPGP {fingerprint} Upstream Author")
    assert current["trusted"] is True

    upstream.git("config", "gpg.format", "ssh")
    by_ssh = upstream.commit(version=3, options=(f"--gpg-sign={signers.directory}/good",))
    host.systemctl("start", RUN, timeout=300)
    current = deployed_app.status()["current"]
    assert current["commit"] == by_ssh
    assert current["signer"].startswith("SSH SHA256:")
    assert current["signer"].endswith(" good@upstream.example")

    unsigned = upstream.commit(version=4)
    host.systemctl("start", RUN, timeout=300)
    status = deployed_app.status()
    assert status["current"]["commit"] == by_ssh
    assert status["state"] == "deferred"
    refused = f"commit {unsigned[:12]} is not deployed: commit has no signature"
    assert refused in status["last_run"]["reason"]
    assert set(deployed_app.versions().values()) == {3}

    # A key file that others can write counts for nobody; what runs is no longer trusted.
    host.run("chmod", "g+w", f"{KEYS}/allowed_signers")
    host.systemctl("start", RUN, timeout=300)
    current = deployed_app.status()["current"]
    assert current["trusted"] is False
    assert "allowed_signers can be written by users other than root" in current["trust_reason"]
    left = host.run("ps", "-u", "_autoupdate", "-o", "args=", check=False).stdout
    assert left == "", "an agent of gpg stayed"
    signers.close()
