"""A private, writable copy of a tree: an overlay where the machine can, else a plain copy."""

import functools
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from tools.lib.hosts.commands import CommandFailedError, run

# Without syncs, because a host is removed after its test. Renaming a directory of a lower layer
# works as on other file systems.
_OVERLAY_OPTIONS = "volatile,redirect_dir=on,index=off"


@dataclass(frozen=True)
class Image:
    """The source of a host's files: directories of the cache, the top layer first."""

    layers: tuple[Path, ...]


class PrivateCopy:
    """The root directory of one host; `top` has its changes (with a plain copy: everything)."""

    def __init__(self, image: Image, directory: Path) -> None:
        """Prepare the copy below the host's directory."""
        self.root = directory / "root"
        self.root.mkdir()
        self.overlay = overlay_works(directory.parent)
        if self.overlay:
            self.top = directory / "changes"
            self.top.mkdir()
            _mount_overlay(self.root, image, self.top, directory / "work")
        else:
            self.top = self.root
            source = image.layers[0]
            run("cp", "-a", "--reflink=auto", f"{source}/.", self.root, timeout=600)

    def unmount(self) -> None:
        """Unmount the overlay; keep the files."""
        if self.overlay:
            run("umount", self.root)


def unmount_below(directory: Path) -> None:
    """Unmount everything in a directory, the innermost first."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted(mounts, reverse=True):
        if Path(mount).is_relative_to(directory):
            run("umount", "--lazy", mount, check=False)


def _mount_overlay(root: Path, image: Image, changes: Path, work: Path) -> None:
    work.mkdir()
    lower = ":".join(str(layer) for layer in image.layers)
    options = f"lowerdir={lower},upperdir={changes},workdir={work},{_OVERLAY_OPTIONS}"
    run("mount", "-t", "overlay", "overlay", "-o", options, root)
    # The root of the overlay has the owner and mode of its top directory.
    shutil.copystat(image.layers[0], changes)


@functools.cache
def overlay_works(directory: Path) -> bool:
    """Return whether copies below a directory can be overlays; not so in some containers."""
    if os.environ.get("AUTOUPDATE_TEST_COPY") == "plain":
        return False
    trial = directory / f"overlay-trial-{os.getpid()}-{threading.get_ident()}"
    parts = [trial / part for part in ("root", "lower", "changes", "work")]
    for part in parts:
        part.mkdir(parents=True)
    root, lower, changes, work = parts
    options = f"lowerdir={lower},upperdir={changes},workdir={work},{_OVERLAY_OPTIONS}"
    try:
        run("mount", "-t", "overlay", "overlay", "-o", options, root)
        run("umount", root)
    except CommandFailedError:
        return False
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    return True
