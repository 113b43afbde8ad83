"""What a terminal shows during a run."""

import errno

import pytest

from autoupdate.cli.progress import Lines, Progress
from autoupdate.model.events import OUTPUT, STEP, Event
from autoupdate.model.steps import Result, Step
from tests.unit.effects import commit
from tests.unit.world import World


class Drawn:
    """Notes what would be shown."""

    notes: list[str]

    def __init__(self) -> None:
        self.notes.append("begin")

    def begin(self, step: str) -> None:
        """Begin a step."""
        self.notes.append(step)

    def show(self, line: str, percent: int | None) -> None:
        """Show a line."""
        self.notes.append(f"{line} {percent}")

    def close(self) -> None:
        """End."""
        self.notes.append("end")


@pytest.fixture
def notes() -> list[str]:
    """Return what is shown."""
    Drawn.notes = []
    return Drawn.notes


def test_steps_of_an_update(world: World, notes: list[str]) -> None:
    shown = Progress(world.log, Drawn)
    world.records.entered = shown.enter
    world.run()
    shown.close()
    assert notes == [
        "begin", "fetch", "verify", "build", "rehearse", "switch",
        "watch the services", "end",
    ]  # fmt: skip


def test_nothing_is_drawn_when_there_is_nothing_to_do(world: World, notes: list[str]) -> None:
    world.deploy(1)
    shown = Progress(world.log, Drawn)
    world.records.entered = shown.enter
    world.run()
    shown.close()
    assert notes == []
    world.services.bad = {commit(2)}
    world.deploy(2)
    assert notes[-1] == "roll back"


@pytest.mark.parametrize(
    ("line", "drawn"),
    [
        ("Receiving objects:  45% (9/20)", "Receiving objects:  45% (9/20) 45"),
        ("Collecting \033[2Jblinker", "Collecting \\x1b[2Jblinker None"),
    ],
)
def test_output_of_a_step(world: World, notes: list[str], line: str, drawn: str) -> None:
    shown = Progress(world.log, Drawn)
    shown.write(Event(OUTPUT, "too early"))
    shown.enter(Step.BUILD)
    shown.write(Event(OUTPUT, line))
    shown.write(Event(STEP, "building"))
    assert notes == ["begin", "build", drawn]
    assert len(world.log.events) == 3, "what is shown is logged all the same"


def test_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    moments = iter(range(100))
    shown = Lines(lambda: float(next(moments)))
    shown.begin("build")
    for number in range(30):
        shown.show(f"Collecting {number}", None)
    printed = capsys.readouterr().err.splitlines()
    assert printed[0] == "build …"
    assert 2 <= len(printed) <= 4, "a line each ten seconds"
    assert all(line.startswith("  Collecting ") for line in printed[1:])


@pytest.mark.parametrize("lost_at", ["fetch", "watch the services"])
def test_terminal_that_was_closed_does_not_end_the_run(
    world: World, notes: list[str], lost_at: str
) -> None:
    class Lost(Drawn):
        """A terminal that is closed when a step begins."""

        def begin(self, step: str) -> None:
            if step == lost_at:
                raise OSError(errno.EIO, "Input/output error")
            super().begin(step)

    shown = Progress(world.log, Lost)
    world.records.entered = shown.enter
    assert world.run().result is Result.UPDATED
    shown.close()
    assert lost_at not in notes
    assert notes[-1] != "end", "nothing more is written"
