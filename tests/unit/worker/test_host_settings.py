"""Settings of pip on the host: which of their changes lead to another environment."""

from pathlib import Path

import pytest

from autoupdate.worker.packages import pip_settings
from tests.unit.worker.test_environment import Installer, provide, release

__all__ = ["release"]


def test_changed_constraints_of_the_host_are_resolved_anew(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, limits = tmp_path / "pip.conf", tmp_path / "limits.txt"
    settings.write_text(f"[global]\nconstraint = {limits}\n")
    limits.write_text("blinker<2\n")
    monkeypatch.setattr(pip_settings, "FILES", (str(settings),))
    monkeypatch.setattr(pip_settings, "UV_SETTINGS", "/nonexistent/uv.toml")
    key = provide(release)
    again, same, other = Installer(), Installer(), Installer()
    assert provide(release, again, deployed=key) == key
    assert again.resolutions == 0
    settings.write_text(f"[global]\nconstraint = {limits}\nretries = 1\n")
    assert provide(release, same, deployed=key) == key
    assert same.resolutions == 0
    limits.write_text("blinker<1.9\n")
    other.index["blinker"] = "1.8"
    assert provide(release, other, deployed=key) != key
