"""One Debian tree for each release, prepared once; test hosts are copies of it."""

import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tools.lib.hosts import machine
from tools.lib.hosts.cache import obtain
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, run

RELEASES = ("bookworm", "trixie")

PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "python3",
    "python3-venv",
    "python3-git",
    "python3-systemd",
    "git",
    "gnupg",
    "logrotate",
    "curl",
    "procps",
    "iproute2",
    "openssl",
    "openssh-client",  # ssh-keygen, with which Git verifies signatures by SSH keys
    "sqlite3",
    "ca-certificates",
    "apprise",  # optional for our package; needed for notifications
)

# They make a boot slow, start downloads during a test, or wait for a terminal.
MASKED_UNITS = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@.service",
    "man-db.timer",
    "systemd-networkd-wait-online.service",
)

FILES = {
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "/etc/hostname": "test-host\n",
    # What a test reads after a power cut must be on the disk.
    "/etc/systemd/journald.conf.d/test-host.conf": "[Journal]\nStorage=persistent\n",
}

_CONTROL = Path(__file__).parents[3] / "debian" / "control"


def prepare_tree(release: str, say: Callable[[str], None] | None = None) -> Path:
    """Return the prepared tree of a release; this takes half a minute the first time."""
    recipe = Recipe(release)

    def build(directory: Path) -> None:
        if say:
            say(f"preparing a Debian tree for {release}")
        recipe.build(directory)

    return obtain(f"tree-{release}", recipe.key(), build)


class Recipe:
    """Everything that the content of a tree depends on."""

    def __init__(self, release: str) -> None:
        """Collect it from this module and from the machine."""
        self.release = release
        self.packages = sorted({*PACKAGES, *package_dependencies()})
        self.sources = machine.apt_sources(release)
        self.files = {path: text.encode() for path, text in FILES.items()}
        self.files |= machine.files_to_copy()
        settings = machine.apt_settings()
        if settings:
            self.files["/etc/apt/apt.conf.d/90machine"] = settings.encode()

    def key(self) -> str:
        """Return a short name that changes with the recipe."""
        files = {path: hashlib.sha256(data).hexdigest() for path, data in self.files.items()}
        parts = [self.release, self.packages, self.sources, files, Path(__file__).read_text()]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]

    def build(self, directory: Path) -> None:
        """Create the tree in a directory that does not exist yet."""
        options = [f"--aptopt={line}" for line in machine.apt_settings().splitlines()]
        with tempfile.TemporaryDirectory(prefix="autoupdate-tree-") as scratch:
            run(
                # In its own mount namespace: if it is killed, its mounts disappear. Otherwise,
                # removing the directory would also empty the machine's /dev.
                *("unshare", "--mount"),
                "mmdebstrap",
                "--quiet",
                "--mode=root",
                "--variant=apt",
                "--dpkgopt=force-unsafe-io",
                *options,
                f"--include={','.join(self.packages)}",
                self.release,
                directory,
                *self.sources,
                timeout=900,
                environment={**CLEAN_ENVIRONMENT, "TMPDIR": scratch},
            )
        # mmdebstrap leaves its options in the tree; a host must have Debian's defaults.
        for leftover in ("etc/dpkg/dpkg.cfg.d/99mmdebstrap", "etc/apt/apt.conf.d/99mmdebstrap"):
            (directory / leftover).unlink(missing_ok=True)
        for path, data in self.files.items():
            target = directory / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        if any(path.startswith(str(machine.LOCAL_CERTIFICATES)) for path in self.files):
            run("chroot", directory, "update-ca-certificates")
        for unit in MASKED_UNITS:
            (directory / "etc/systemd/system" / unit).unlink(missing_ok=True)
            (directory / "etc/systemd/system" / unit).symlink_to("/dev/null")
        # Each host gets its own machine ID when it boots.
        (directory / "etc/machine-id").write_text("")


def package_dependencies(control: Path = _CONTROL) -> list[str]:
    """Return what our package depends on or recommends, so that its installation needs no network.

    Of alternatives it is the first one. Substitution variables (`${...}`) are not known here.
    """
    if not control.is_file():
        return []
    package = control.read_text().split("\nPackage:", 1)[-1]
    fields = re.findall(r"^(?:Depends|Recommends):(.*(?:\n[ \t].*)*)", package, re.MULTILINE)
    items = [item.split("|")[0] for field in fields for item in field.split(",")]
    names = [re.match(r"\s*([a-z0-9][a-z0-9+.-]+)", item) for item in items]
    return [name[1] for name in names if name]


if __name__ == "__main__":
    os.umask(0o022)
    for wanted_release in sys.argv[1:] or RELEASES:
        print(prepare_tree(wanted_release, print))
