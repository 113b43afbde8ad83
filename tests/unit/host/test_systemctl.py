"""What is asked again, and what is not."""

from pathlib import Path

import pytest

from autoupdate.host import systemctl
from autoupdate.host.process import Completed

LOST = Completed(1, b"", "Failed to get properties: Transport endpoint is not connected\n")
WELL = Completed(0, b"Id=app.service\n", "")
REFUSED = Completed(5, b"", "Failed to restart app.service: Unit app.service not found.\n")
# Without D-Bus, which is no rare thing, it stays like that for ordinary users.
NO_BUS = Completed(1, b"", "Failed to connect to bus: No such file or directory\n")


def asked(answers: list[Completed | None], booted: Path) -> tuple[Completed | None, int]:
    """Return the answer that was taken, and how many times systemd was asked."""
    left = iter(answers)
    answer = systemctl.insist(lambda: next(left), booted=str(booted))
    return answer, len(answers) - len(list(left))


@pytest.mark.parametrize("answer", [WELL, REFUSED, NO_BUS, None])
def test_until_it_was_heard(
    answer: Completed | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemctl, "PAUSE", 0)
    assert asked([LOST, LOST, answer, LOST], tmp_path) == (answer, 3)
    # An end is set to that; and where there is no systemd, nobody waits for it.
    monkeypatch.setattr(systemctl, "PATIENCE", -1)
    assert asked([LOST, WELL], tmp_path) == (LOST, 1)
    monkeypatch.setattr(systemctl, "PATIENCE", 30)
    assert asked([LOST, WELL], tmp_path / "no systemd") == (LOST, 1)
