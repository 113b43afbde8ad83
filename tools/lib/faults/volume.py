"""A small ext4 on a loop device, for the package's state on one host."""

from pathlib import Path

from tools.lib.hosts.commands import run
from tools.lib.hosts.host import Host

PLACE = "var/lib/autoupdate"
MEGABYTES = 320
INODES = 14000

_FILL = """
import os, sys
place, what = sys.argv[1:]
os.makedirs(place, exist_ok=True)
number, size = 0, 1 << 20
while True:
    number += 1
    try:
        with open(f"{place}/{number}", "wb", buffering=0) as file:
            if what == "space":
                while True:
                    if file.write(bytes(size)) < size:
                        raise OSError
    except OSError:
        if what == "inodes" or size == 1:
            break
        size //= 8 if size > 8 else size
"""


class Volume:
    """The file system; created before the host boots, and mounted over the state."""

    def __init__(self, host: Host, file: Path) -> None:
        """Create it with the state of the host's image."""
        self.host = host
        self.file = file
        self.place = host.root / PLACE
        with file.open("wb") as stream:
            stream.truncate(MEGABYTES << 20)
        run("mkfs.ext4", "-q", "-F", "-N", str(INODES), "-d", self.place, file)
        self.mount()

    def mount(self) -> None:
        """Mount it; the loop device is removed on unmount."""
        # Debian's default after a disk error.
        run("mount", "-o", "loop,errors=remount-ro", self.file, self.place)

    def end(self) -> None:
        """Unmount it."""
        run("umount", self.place, check=False)

    def fill(self, what: str) -> None:
        """Use up all space, or all inodes, also those reserved for root."""
        self.host.run("/usr/bin/python3", "-c", _FILL, f"/{PLACE}/filler", what)

    def free(self) -> None:
        """Free the space or inodes again."""
        self.host.run("rm", "--recursive", f"/{PLACE}/filler")

    def fail(self) -> None:
        """Make the file system read-only, as the kernel does after a disk error."""
        self.host.run("mount", "-o", "remount,abort", f"/{PLACE}", check=False)

    def repair(self) -> None:
        """Check the file system while the host is off, and boot again."""
        self.host.kill()
        run("umount", self.place)
        # Other hosts that boot now may keep the old one mounted, read-only.
        repaired = self.file.with_suffix(".repaired")
        run("cp", "--sparse=always", self.file, repaired)
        self.file = repaired
        # 1: errors were corrected.
        done = run("e2fsck", "-f", "-y", self.file, check=False)
        if done.returncode not in (0, 1):
            raise AssertionError(f"e2fsck: {done.stdout}")
        self.mount()
        self.host.boot()
