"""tools/bench: what needs a service manager is measured on each release of Debian."""

from pathlib import Path

import pytest

from tools.lib.bench import booted
from tools.lib.bench.report import Findings, table
from tools.lib.bench.timing import Times
from tools.lib.hosts.tree import RELEASES


def test_rows_name_the_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure_on(release: str, directory: Path, found: booted.Labelled) -> None:
        assert directory.is_dir()
        found.at_most("the gate", "≤ 15 ms", 0.003, 0.015, f"3 ms on {release}")
        found.compare("downtime", {"of it": Times((0.1, 0.2))})

    monkeypatch.setattr(booted, "what_is_missing", lambda: "")
    monkeypatch.setattr(booted, "measure_on", measure_on)
    findings = Findings()
    booted.measure(tmp_path, findings)
    assert set(booted.LABELS) == set(RELEASES)
    text = table(findings)
    for release, label in booted.LABELS.items():
        assert f"| {label}: the gate | ≤ 15 ms | 3 ms on {release} | met |" in text
        assert f"| {label}: downtime | of it |" in text
    assert "met" in capsys.readouterr().out
