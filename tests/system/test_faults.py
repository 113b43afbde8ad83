"""A small part of what `tools/faults` does: kills and faults, and what must be true after each."""

from pathlib import Path

from tests.faults.cells import cell
from tests.faults.faults import FAULTS
from tests.faults.kills import HAND, ROLL_BACK, UNIT, UPDATE, Kills
from tests.faults.scene import opened
from tests.hosts.layers import Image

# Of the writes of an update: while it is fetched, built, switched, watched.
WRITES = ((UNIT, 6, "before"), (HAND, 12, "after"), (UNIT, 18, "after"))
CELLS = (("state.db corrupted", "fetch"), ("host killed", "activate"))


def test_kills(release: str, installed: Image, deb: Path) -> None:
    assert installed.layers
    with opened(release, deb) as scene:
        kills = Kills(scene, release, seed=1)
        seen = [kills.at_write(UPDATE, *point) for point in WRITES]
        assert all(kill.killed for kill in seen)
        seen += kills.at_random(ROLL_BACK, 1, (HAND,))
    wrong = {f"{kill.verb}, {kill.way}, {kill.point}": kill.wrong for kill in seen if kill.wrong}
    assert not wrong


def test_faults(release: str, installed: Image, deb: Path) -> None:
    assert installed.layers
    seen = [
        cell(release, deb, fault, step)
        for fault in FAULTS
        for step in fault.steps
        if (fault.name, step) in CELLS
    ]
    assert len(seen) == len(CELLS)
    wrong = {f"{each.fault}, {each.step}": each.wrong for each in seen if each.wrong}
    assert not wrong
