"""The faults: how each one is caused, at which steps, and how it is removed."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tools.lib.faults.scene import CONFIRM, HOME, RUN, Scene
from tools.lib.faults.volume import Volume
from tools.lib.hosts.demo_app import SERVICES
from tools.lib.hosts.git_server import Mode
from tools.lib.hosts.host import HostError

START = "service start"
STEPS = (
    "fetch", "verify", "check out", "build", "rehearse", "activate", "probation", "roll back",
    START,
)  # fmt: skip
ALL = STEPS
YEAR = 365 * 24 * 3600
MEMORY = Path("/sys/fs/cgroup/memory")


def nothing(_: Scene) -> str:
    """Do nothing; return an empty text."""
    return ""


class Fault(NamedTuple):
    """A fault; `strike` and `heal` return a text for the table, or an empty one."""

    name: str
    strike: Callable[[Scene], str]
    heal: Callable[[Scene], str] = nothing
    steps: tuple[str, ...] = ALL
    volume: bool = False
    previous: bool = False
    clock: int = 0
    during: tuple[str, ...] = ()
    """Steps in which the run continues first, so that the fault hits it at work."""
    new_requirements: tuple[str, ...] = ()
    prepare: Callable[[Scene], str] = nothing


def filled(what: str) -> Callable[[Scene], str]:
    """Return a strike that uses up space or inodes."""

    def strike(scene: Scene) -> str:
        volume_of(scene).fill(what)
        return ""

    return strike


def volume_of(scene: Scene) -> Volume:
    """Return the small file system of a scene that has one."""
    if scene.volume is None:
        raise TypeError("this scene has no file system of its own")
    return scene.volume


def free(scene: Scene) -> str:
    """Free the space or inodes again."""
    volume_of(scene).free()
    return ""


def read_only(scene: Scene) -> str:
    """Make the file system read-only, as after a disk error."""
    volume_of(scene).fail()
    return ""


def repair(scene: Scene) -> str:
    """Check the file system and boot again."""
    volume_of(scene).repair()
    boot_services(scene)
    return "checked by e2fsck, booted again"


def power_off(scene: Scene) -> str:
    """Kill every process of the host at once, and boot it again."""
    scene.host.kill()
    scene.host.boot()
    boot_services(scene)
    return ""


def boot_services(scene: Scene) -> None:
    """Start the services, like enabled units at boot, when /run is empty."""
    scene.host.run("mkdir", "--parents", "/run/faults")
    scene.host.systemctl("start", "--no-block", *SERVICES)


def network(mode: Mode | None) -> Callable[[Scene], str]:
    """Return a strike on the connections to upstream and to the package index."""

    def strike(scene: Scene) -> str:
        index = f"http://127.0.0.1:{scene.server.port}/simple"
        scene.host.run("sh", "-c", "[ ! -e /etc/pip.conf ] || cp /etc/pip.conf /etc/pip.conf.kept")
        text = f"[global]\nindex-url = {index}\ntimeout = 2\nretries = 1\n"
        scene.host.write("/etc/pip.conf", text)
        if mode is None:
            scene.server.stop()
        else:
            scene.server.mode = mode
        return ""

    return strike


def connected(scene: Scene) -> str:
    """Let upstream and the package index answer again."""
    scene.server.start()
    scene.server.mode = Mode.GOOD
    command = "rm /etc/pip.conf; [ ! -e /etc/pip.conf.kept ] || mv /etc/pip.conf.kept /etc/pip.conf"
    scene.host.run("sh", "-c", command)
    return ""


def short_of_memory(scene: Scene) -> str:
    """Set a memory limit for the run and its children that they soon exceed."""
    group = MEMORY / scene.host.name
    group.mkdir(exist_ok=True)
    pids = unit_processes(scene)
    (group / "memory.limit_in_bytes").write_text(str(1 << 20))
    for pid in pids:
        (group / "cgroup.procs").write_text(str(pid))
    return ""


def enough_memory(scene: Scene) -> str:
    """Remove the limit; return how many processes the kernel has killed."""
    group = MEMORY / scene.host.name
    control = dict(line.split() for line in (group / "memory.oom_control").read_text().splitlines())
    for pid in (group / "cgroup.procs").read_text().split():
        (MEMORY / "cgroup.procs").write_text(pid)
    group.rmdir()
    return f"processes killed by the kernel: {control['oom_kill']}"


def unit_processes(scene: Scene) -> list[int]:
    """Return the machine's process IDs of the run that is under way."""
    unified = next(path for path in (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
                   if path.is_dir())  # fmt: skip
    found: list[int] = []
    for unit in (RUN, CONFIRM):
        for procs in (unified / scene.host.name).rglob(f"{unit}/cgroup.procs"):
            found += [int(word) for word in procs.read_text().split()]
    if not found:
        raise HostError("no run is under way")
    return found


def kill_worker(scene: Scene) -> str:
    """Kill the processes of the builds' user, like the kernel when there is no memory."""
    user = scene.host.run("id", "--user", "_autoupdate").stdout.strip()
    killed = 0
    deadline = time.monotonic() + 2
    while not killed and time.monotonic() < deadline:
        time.sleep(0.03)
        for pid in unit_processes(scene):
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                if str(os.stat(f"/proc/{pid}").st_uid) == user:
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
    return f"processes killed: {killed}"


def as_builder(scene: Scene, script: str) -> str:
    """Run a shell script in the mirror as its owner."""
    return scene.host.run("sh", "-c", script, user="_autoupdate", cwd=f"{HOME}/repo.git").stdout


def packed(scene: Scene) -> str:
    """Put all objects of the mirror into one pack, as in an older mirror."""
    as_builder(scene, "git repack -a -d -q")
    return ""


def truncated_objects(scene: Scene) -> str:
    """Truncate every loose object to half of its length."""
    script = (
        "find objects/?? -type f | while read -r f; do chmod u+w $f;"
        " truncate -s $(($(stat -c %s $f) / 2)) $f; done"
    )
    as_builder(scene, script)
    return ""


def corrupted_pack(scene: Scene) -> str:
    """Write zeros into the middle of every pack."""
    script = (
        "for f in objects/pack/*.pack; do chmod u+w $f; s=$(stat -c %s $f);"
        " dd if=/dev/zero of=$f bs=1 seek=$((s / 3)) count=$((s / 3)) conv=notrunc status=none;"
        " done"
    )
    as_builder(scene, script)
    return ""


def truncated_pack(scene: Scene) -> str:
    """Truncate every pack to half of its length."""
    script = (
        "for f in objects/pack/*.pack; do chmod u+w $f; truncate -s $(($(stat -c %s $f) / 2)) $f;"
        " done"
    )
    as_builder(scene, script)
    return ""


def deleted(link: str) -> Callable[[Scene], str]:
    """Return a strike that deletes the release that a link leads to."""

    def strike(scene: Scene) -> str:
        scene.host.run("sh", "-c", f'rm -r "$(realpath {HOME}/{link})"')
        return ""

    return strike


def state(script: str) -> Callable[[Scene], str]:
    """Return a strike on the state."""

    def strike(scene: Scene) -> str:
        scene.host.run("sh", "-c", script, cwd=HOME)
        return ""

    return strike


CORRUPT = "dd if=/dev/urandom of=state.db bs=4096 count=4 conv=notrunc status=none"
TRUNCATE = "truncate -s 5000 state.db"
DELETE = "rm state.db"
WIRED = ("fetch", "build", START)
IN_MIRROR = tuple(step for step in STEPS if step != "roll back")

FAULTS = (
    Fault("no space", filled("space"), free, volume=True),
    Fault("no inodes", filled("inodes"), free, volume=True),
    Fault("read-only file system", read_only, repair, volume=True),
    Fault("network: connections reset", network(Mode.RESET), connected, WIRED,
          new_requirements=WIRED),
    Fault("network: no answer", network(Mode.HANG), connected, WIRED, new_requirements=WIRED),
    Fault("network: half a pack", network(Mode.HALF_PACK), connected, ("fetch", START)),
    Fault("network: connections refused", network(None), connected, WIRED, new_requirements=WIRED),
    Fault("clock a year ahead", nothing, clock=YEAR),
    Fault("clock a year back", nothing, clock=-YEAR),
    Fault("memory limit", short_of_memory, enough_memory, STEPS[:-1]),
    Fault("build's processes killed", kill_worker, nothing, STEPS[:-1],
          during=("fetch", "check out", "build")),
    Fault("mirror: objects truncated", truncated_objects, steps=IN_MIRROR),
    Fault("mirror: pack corrupted", corrupted_pack, steps=IN_MIRROR, prepare=packed),
    Fault("mirror: pack truncated", truncated_pack, steps=IN_MIRROR, prepare=packed),
    Fault("current release deleted", deleted("current")),
    Fault("previous release deleted", deleted("previous"), previous=True),
    Fault("state.db corrupted", state(CORRUPT)),
    Fault("state.db truncated", state(TRUNCATE)),
    Fault("state.db deleted", state(DELETE)),
    Fault("host killed", power_off),
)  # fmt: skip
