"""Finding the old updaters that run auto-update.sh."""

from pathlib import Path

import pytest

from autoupdate.adoption.old_updaters import CRON, START, TIMER, OldUpdater, find
from autoupdate.model.paths import Paths

SCRIPT = "/home/barberb/ipfs_accelerate_py/scripts/auto-update.sh"


def write(root: Path, path: str, text: str) -> None:
    """Write a file below the root."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def found(root: Path) -> list[tuple[str, str, int, str]]:
    """Return what is found, files relative to the root."""
    return [
        (item.kind, item.file.removeprefix(f"{root}/"), item.line, item.unit)
        for item in find(Paths(str(root)))
    ]


def test_a_host_without_cron_or_units(tmp_path: Path) -> None:
    assert find(Paths(str(tmp_path))) == []


@pytest.mark.parametrize("file", ["etc/crontab", "etc/cron.d/x", "var/spool/cron/crontabs/barberb"])
def test_cron_lines_of_every_kind(tmp_path: Path, file: str) -> None:
    write(tmp_path, file, f"# {SCRIPT}\nMAILTO=root\n0 */6 * * * {SCRIPT} >> log 2>&1\n@daily x\n")
    assert found(tmp_path) == [(CRON, file, 3, "")]


def test_a_crontab_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/crontab").write_bytes(b"# caf\xe9\n@daily " + SCRIPT.encode() + b"\n")
    assert found(tmp_path) == [(CRON, "etc/crontab", 2, "")]


def test_only_an_enabled_timer_counts(tmp_path: Path) -> None:
    units = "etc/systemd/system"
    write(tmp_path, f"{units}/pull.service", f"[Service]\nExecStart=/bin/sh \\\n  {SCRIPT}\n")
    write(tmp_path, f"{units}/old.timer", "[Timer]\nOnCalendar=daily\nUnit=pull.service\n")
    assert found(tmp_path) == []
    write(tmp_path, f"{units}/timers.target.wants/old.timer", "")
    assert found(tmp_path) == [(TIMER, f"{units}/pull.service", 2, "old.timer")]


def test_exec_start_pre_lines_that_are_in_effect(tmp_path: Path) -> None:
    unit = "etc/systemd/system/web.service"
    write(tmp_path, unit, f"[Service]\nExecStartPre=/bin/true\nExecStartPre={SCRIPT}\n")
    assert found(tmp_path) == [(START, unit, 3, "web.service")]
    write(tmp_path, f"{unit}.d/40-reset.conf", "[Service]\nExecStartPre=\nExecStartPre=/bin/true\n")
    assert found(tmp_path) == []
    write(tmp_path, f"{unit}.d/60-again.conf", f"[Service]\nExecStartPre=-{SCRIPT}\n")
    assert found(tmp_path) == [(START, f"{unit}.d/60-again.conf", 2, "web.service")]


def test_a_line_of_another_checkout(tmp_path: Path) -> None:
    line = OldUpdater(CRON, "/etc/crontab", 1, f"@daily {SCRIPT}")
    assert line.concerns("/home/barberb/ipfs_accelerate_py")
    assert line._replace(text="@daily ~/ipfs_accelerate_py/a").concerns("/srv/ipfs_accelerate_py")
    assert not line.concerns("/home/barberb/ipfs_accelerate")
