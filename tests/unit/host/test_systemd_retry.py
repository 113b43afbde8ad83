"""Which calls of systemctl are repeated, and which are not."""

from pathlib import Path

import pytest

from autoupdate.host import systemd_retry
from autoupdate.host.process import Completed

LOST = Completed(1, b"", "Failed to get properties: Transport endpoint is not connected\n")
WELL = Completed(0, b"Id=app.service\n", "")
REFUSED = Completed(5, b"", "Failed to restart app.service: Unit app.service not found.\n")
# Ordinary users of a host without D-Bus always get this one.
NO_BUS = Completed(1, b"", "Failed to connect to bus: No such file or directory\n")


def asked(answers: list[Completed | None], booted: Path) -> tuple[Completed | None, int]:
    """Return the result that was used, and how many calls there were."""
    left = iter(answers)
    answer = systemd_retry.insist(lambda: next(left), booted=str(booted))
    return answer, len(answers) - len(list(left))


@pytest.mark.parametrize("answer", [WELL, REFUSED, NO_BUS, None])
def test_repeated_until_systemd_answers(
    answer: Completed | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd_retry, "PAUSE", 0)
    assert asked([LOST, LOST, answer, LOST], tmp_path) == (answer, 3)
    # There is a time limit; and without systemd, the call is not repeated.
    monkeypatch.setattr(systemd_retry, "PATIENCE", -1)
    assert asked([LOST, WELL], tmp_path) == (LOST, 1)
    monkeypatch.setattr(systemd_retry, "PATIENCE", 30)
    assert asked([LOST, WELL], tmp_path / "no systemd") == (LOST, 1)
