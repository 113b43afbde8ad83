"""The times that units allow for their stop and their start."""

import math
from pathlib import Path

import pytest

from autoupdate.host.unit_times import Times, in_seconds, parse

UNIT = "[Service]\nExecStart=/usr/bin/app\n"
GATE = "[Service]\nExecStartPre=+/usr/lib/autoupdate/pre-start web\nTimeoutStartSec=45min\n"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1min 30s", 90), ("90", 90), ("infinity", math.inf), ("0", math.inf), ("", None),
     ("1month 2d", math.inf), ("500ms", 0.5)],
)  # fmt: skip
def test_in_seconds(text: str, seconds: float | None) -> None:
    assert in_seconds(text) == seconds


@pytest.mark.parametrize(
    ("files", "start"),
    [
        ([UNIT], None),
        ([UNIT, GATE], None),
        ([f"{UNIT}TimeoutStartSec=10min\n", GATE], 600),
        ([f"{UNIT}TimeoutSec=20s\n", GATE, "[Service]\nTimeoutStartSec=infinity\n"], math.inf),
        ([f"{UNIT}TimeoutStartSec=5min\n", "[Service]\nTimeoutStartSec=\n"], None),
    ],
)
def test_own_start_is_what_the_unit_says_without_the_gate(
    tmp_path: Path, files: list[str], start: float | None
) -> None:
    paths = []
    for number, text in enumerate(files):
        paths.append(str(tmp_path / f"{number}.conf"))
        Path(paths[-1]).write_text(text)
    block = f"TimeoutStopUSec=2min\nFragmentPath={paths[0]}\nDropInPaths={' '.join(paths[1:])}"
    assert parse(block) == Times(120, start)


def test_unit_that_does_not_exist() -> None:
    assert parse("TimeoutStopUSec=1min 30s\nFragmentPath=\nDropInPaths=") == Times(90, None)
