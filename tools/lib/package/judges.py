"""Checks the package with other tools: lintian, piuparts, autopkgtest."""

import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.lib.hosts.commands import run
from tools.lib.hosts.host import Host
from tools.lib.hosts.package import bare_image
from tools.lib.package.room import Room

LINTIAN = ("lintian", "--pedantic", "--info", "--display-info", "--show-overrides")
# lintian of Debian 12 does not know the version of the policy that we follow.
NOT_KNOWN_YET = {"bookworm": ("--suppress-tags=newer-standards-version",)}


def lintian(room: Room, directory: str, release: str) -> str:
    """Check source and binary; only overridden tags are allowed."""
    changes = room.file(f"{directory}/*.changes")
    words = (*LINTIAN, *NOT_KNOWN_YET.get(release, ()), f"{directory}/{changes.name}")
    said = room.run(*words, user="builder", check=False)
    lines = said.stdout.splitlines()
    tags = [line for line in lines if line[:2] in ("E:", "W:", "I:", "P:", "X:", "C:")]
    assert said.ok, said.stdout + said.stderr
    assert not tags, "\n".join(tags)
    overridden = {line.split(": ")[2].split()[0] for line in lines if line.startswith("O:")}
    return f"no tag; overridden: {', '.join(sorted(overridden)) or 'none'}"


def nodoc(room: Room, complete: Path) -> str:
    """Build without documentation and compare the lists of files."""
    room.copy_source("/build/nodoc/tree", "builder")
    options = {"DEB_BUILD_OPTIONS": "nodoc nocheck", "DEB_BUILD_PROFILES": "nodoc nocheck"}
    room.run("dpkg-buildpackage", "--build=binary", "--no-sign",
             user="builder", directory="/build/nodoc/tree", environment=options)  # fmt: skip
    less = _files(complete) - _files(room.file("/build/nodoc/*.deb"))
    assert less, "nothing was left out"
    others = {file for file in less if not file.startswith(("usr/share/man/", "usr/share/doc/"))}
    assert not others, f"also left out: {others}"
    return f"{len(less)} files fewer"


def _files(deb: Path) -> set[str]:
    listing = run("dpkg-deb", "--contents", deb).stdout.splitlines()
    return {line.split()[5].removeprefix("./") for line in listing}


def piuparts(room: Room, deb: Path, release: str) -> str:
    """Install, upgrade and purge the package in a minimal Debian; nothing must be left."""
    base = room.root / "build/base.tar.gz"
    (tree,) = bare_image(release).layers
    run("tar", "--create", "--gzip", "--file", base, "--directory", tree, "--one-file-system", ".",
        timeout=600)  # fmt: skip
    # logrotate creates its own file when piuparts calls it for our log.
    older = archive_of_older_version(room, deb)
    said = run("piuparts", f"--basetgz={base}", f"--distribution={release}",
               f"--bindmount={older}", f"--extra-repo=deb [trusted=yes] file:{older} ./",
               f"--tmpdir={room.root}/build", "--ignore=/var/lib/logrotate/status", deb,
               check=False, timeout=900)  # fmt: skip
    assert said.ok, said.stdout
    passed = re.findall(r"PASS: (.*purging tests?)\.$", said.stdout, re.MULTILINE)
    assert len(passed) == 2, said.stdout
    return ", ".join(passed)


def archive_of_older_version(room: Room, deb: Path) -> Path:
    """Return a directory that is an apt archive, with the package as an older version."""
    directory = room.root / "build/older"
    directory.mkdir()
    run("dpkg-deb", "--raw-extract", deb, directory / "tree")
    control = directory / "tree/DEBIAN/control"
    older = re.sub(r"^(Version: .*)$", r"\1~older", control.read_text(), flags=re.MULTILINE)
    control.write_text(older)
    run("dpkg-deb", "--root-owner-group", "--build", directory / "tree", directory / "older.deb")
    shutil.rmtree(directory / "tree")
    listed = room.run("dpkg-scanpackages", "--multiversion", ".", directory="/build/older")
    (directory / "Packages").write_text(listed.stdout)
    return directory


@contextmanager
def switched_on_again(host: Host) -> Iterator[None]:
    """Boot a host again whenever it reboots: systemd-nspawn leaves that to its caller."""
    enough = threading.Event()

    def watch() -> None:
        while not enough.wait(0.2):
            if not host.is_running:
                host.boot(wait=False)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        enough.set()
        watcher.join()


def autopkgtest(release: str, deb: Path, source: Path) -> str:
    """Run debian/tests on a booted Debian, over SSH, with reboots."""
    with Host(bare_image(release)) as host, tempfile.TemporaryDirectory() as scratch:
        key, port = Path(scratch) / "key", host.port("ssh")
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        host.write("/root/.ssh/authorized_keys", key.with_suffix(".pub").read_text(), 0o600)
        # On the loopback interface, which all hosts share with the machine.
        listening = f"Port {port}\nListenAddress 127.0.0.1\n"
        host.write("/etc/ssh/sshd_config.d/test.conf", listening)
        host.run("apt-get", "update", timeout=300)
        quiet = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--yes")
        host.run(*quiet, "install", "openssh-server", timeout=300)
        testbed = ("ssh", "--hostname=127.0.0.1", f"--port={port}", "--login=root",
                   f"--identity={key}", "--reboot", "--capability=isolation-container")  # fmt: skip
        with switched_on_again(host):
            done = run("autopkgtest", "--no-built-binaries", deb, f"{source}/", "--", *testbed,
                       check=False, timeout=1200)  # fmt: skip
        said = done.stdout + done.stderr
        assert done.ok, f"exit code {done.returncode}\n{said}"
    results = re.findall(r"^(\S+) +(PASS|SKIP|FAIL.*|FLAKY.*)$", said, re.MULTILINE)
    assert len(results) >= 3, said
    return ", ".join(f"{name}: {result}" for name, result in dict(results).items())
