"""A small ext4 on a loop device that holds the package's state on one host."""

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
    """The file system; made before the host boots, and mounted over what is there."""

    def __init__(self, host: Host, file: Path) -> None:
        """Make it with the state that the host's image has."""
        self.host = host
        self.file = file
        self.place = host.root / PLACE
        with file.open("wb") as stream:
            stream.truncate(MEGABYTES << 20)
        run("mkfs.ext4", "-q", "-F", "-N", str(INODES), "-d", self.place, file)
        self.mount()

    def mount(self) -> None:
        """Mount it; the loop device goes when it is unmounted."""
        # What an error of the disk leads to on Debian.
        run("mount", "-o", "loop,errors=remount-ro", self.file, self.place)

    def end(self) -> None:
        """Unmount it."""
        run("umount", self.place, check=False)

    def fill(self, what: str) -> None:
        """Use up all space, or all inodes, also those that are kept for root."""
        self.host.run("/usr/bin/python3", "-c", _FILL, f"/{PLACE}/filler", what)

    def free(self) -> None:
        """Give back what was used up."""
        self.host.run("rm", "--recursive", f"/{PLACE}/filler")

    def fail(self) -> None:
        """Have the file system turn read-only, as the kernel does it after an error of the disk."""
        self.host.run("mount", "-o", "remount,abort", f"/{PLACE}", check=False)

    def repair(self) -> None:
        """Check the file system while the host is off, and boot again, as a person would."""
        self.host.kill()
        run("umount", self.place)
        # Other hosts that boot meanwhile may keep the old one mounted, and read-only.
        repaired = self.file.with_suffix(".repaired")
        run("cp", "--sparse=always", self.file, repaired)
        self.file = repaired
        # 1: errors were corrected.
        done = run("e2fsck", "-f", "-y", self.file, check=False)
        if done.returncode not in (0, 1):
            raise AssertionError(f"e2fsck: {done.stdout}")
        self.mount()
        self.host.boot()
