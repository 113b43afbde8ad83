"""Power cuts: the disk keeps what was flushed, and any part of what was written since.

An update and a rollback are recorded at the block level (disk.py). For each cut, the file system is
created as a disk may have it at that moment; the host boots with it and must recover.
"""

import random
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tools.lib.faults.cells import Cell
from tools.lib.faults.disk import NAME, Write, read_log
from tools.lib.faults.faults import boot_services, volume_of
from tools.lib.faults.look import incomplete, recovered, service_starts, traces
from tools.lib.faults.scene import Scene, opened
from tools.lib.faults.volume import Volume
from tools.lib.hosts.broken import Broken
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, CommandFailedError, run
from tools.lib.hosts.host import Host, HostError
from tools.lib.hosts.package import PROJECT

FAULT = "power cut"
UPDATE, ROLL_BACK = "update", "roll back"


class Recorded(Volume):
    """The small file system, first on the recording disk, then on files made from its log."""

    def __init__(self, host: Host, file: Path) -> None:
        """Create it, and start recording."""
        self.log = file.with_suffix(".log")
        self.directory = file.with_suffix(".disk")
        self.directory.mkdir()
        self._server: subprocess.Popen[bytes] | None = None
        super().__init__(host, file)

    def mount(self) -> None:
        """Mount the recording disk the first time, and `file` from then on."""
        if self._server is not None:
            super().mount()
            return
        words = [
            "/usr/bin/python3",
            "-m",
            "tools.lib.faults.disk",
            self.file,
            self.log,
            self.directory,
        ]
        self._server = subprocess.Popen(
            [str(word) for word in words], cwd=PROJECT, env=CLEAN_ENVIRONMENT
        )
        disk = self.directory / NAME
        deadline = time.monotonic() + 20
        while not disk.exists():
            if time.monotonic() > deadline:
                raise AssertionError("the recording disk does not come up")
            time.sleep(0.05)
        run("mount", "-o", "loop", disk, self.place)

    def length(self) -> int:
        """Write all data, and return the length of the log."""
        run("sync", "--file-system", self.place)
        return self.log.stat().st_size

    def end(self) -> None:
        """Remove the disk."""
        super().end()
        if self._server and self._server.poll() is None:
            run("umount", self.directory, check=False)
            try:
                self._server.wait(10)
            except subprocess.TimeoutExpired:
                # A host that has booted since may keep it mounted; nothing more is recorded.
                self._server.kill()
                self._server.wait(10)
                run("umount", "--lazy", self.directory, check=False)


class Record(NamedTuple):
    """A disk before an action, and all writes during that action."""

    before: Path
    writes: Sequence[Write]


def cuts(release: str, deb: Path, count: int, seed: int) -> Iterator[Cell]:
    """Cut the power `count` times during an update, and as often during a rollback."""
    for verb in (UPDATE, ROLL_BACK):
        chance = random.Random(f"{seed} {release} {verb}")
        with opened(release, deb, volume=Recorded) as scene:
            record = recorded(scene, verb)
            for number in range(count):
                yield cut(scene, record, release, verb, number, chance)


def recorded(scene: Scene, verb: str) -> Record:
    """Run the action, and stop recording."""
    volume = volume_of(scene)
    if not isinstance(volume, Recorded):
        raise TypeError("this scene has no disk that remembers")
    began = volume.length()
    before = volume.file.with_suffix(".before")
    run("cp", "--sparse=always", volume.file, before)
    scene.commit(Broken.CRASH if verb == ROLL_BACK else None)
    scene.run()
    switch_off(scene)
    return Record(before, list(read_log(volume.log, began)))


def cut(
    scene: Scene, record: Record, release: str, verb: str, number: int, chance: random.Random
) -> Cell:
    """Boot the host with the disk after a power cut at one moment, and check it."""
    moment = chance.randrange(len(record.writes) + 1)
    made = Cell(release, FAULT, verb)
    began = time.monotonic()
    switch_off(scene)
    # A new file each time: other hosts that boot now may keep the last one mounted.
    image = record.before.with_suffix(f".cut{number}")
    kept, lost = compose(record, moment, image, chance)
    made.happened = f"at write {moment} of {len(record.writes)}: {lost} unflushed writes lost,"
    made.happened += f" {kept} kept"
    try:
        boot(scene, image)
        made.wrong += [f"at once: {fault}" for fault in incomplete(scene, scene.facts())]
        made.wrong += recovered_update(scene) if verb == UPDATE else gone_back(scene)
    except (AssertionError, CommandFailedError, HostError) as error:
        made.wrong.append(f"given up: {str(error)[:1500]}")
    made.seconds = time.monotonic() - began
    image.unlink()
    return made


def compose(record: Record, moment: int, image: Path, chance: random.Random) -> tuple[int, int]:
    """Create the disk as it may be at a moment; return how many unflushed writes it kept and lost.

    The disk may have kept none, all, or any of the writes since the last flush.
    """
    writes = record.writes[:moment]
    flushed = max((number for number, item in enumerate(writes) if item.is_flush), default=0)
    share = chance.choice((0.0, 0.5, 1.0))
    shutil.copyfile(record.before, image)
    kept = 0
    with image.open("r+b") as stream:
        for number, item in enumerate(writes):
            if number >= flushed and chance.random() >= share:
                continue
            kept += number >= flushed and not item.is_flush
            stream.seek(item.offset)
            stream.write(item.data)
    return kept, sum(not item.is_flush for item in writes[flushed:]) - kept


def switch_off(scene: Scene) -> None:
    """Switch the host off, and remove its disk."""
    scene.host.kill()
    volume_of(scene).end()


def boot(scene: Scene, image: Path) -> None:
    """Switch the host on with this disk; the kernel replays the journal of the file system."""
    volume = volume_of(scene)
    volume.file = image
    volume.mount()
    scene.host.boot()
    boot_services(scene)


def recovered_update(scene: Scene) -> list[str]:
    """Start a service and run, and check, as after every fault."""
    wrong = service_starts(scene)
    done, waits = scene.run_until_done()
    if not done.ok:
        wrong.append(f"the next run ends with {done.returncode} after {waits} waits: {done.stderr}")
    return wrong + [f"in the end: {fault}" for fault in recovered(scene)]


def gone_back(scene: Scene) -> list[str]:
    """Start a service and run; the bad commit may be tried once more, then must be rolled back."""
    wrong = service_starts(scene)
    scene.run_until_done()
    scene.wait_ended()
    facts, status = scene.facts(), scene.status()[0]
    good, bad = scene.good, scene.upstream.published()
    if status["state"] != "rolled-back" or status["current"]["commit"] != good:
        wrong.append(f"state is {status['state']} at {status['current']}, not rolled back")
    if bad not in [row[0] for row in facts["quarantine"]]:
        wrong.append(f"the bad commit is not in quarantine: {facts['quarantine']}")
    if scene.serving() != scene.versions[good]:
        wrong.append(f"the services run version {scene.serving()}, not {scene.versions[good]}")
    return wrong + traces(scene, facts) + incomplete(scene, facts)
