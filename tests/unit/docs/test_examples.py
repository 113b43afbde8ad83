"""The examples in docs/ are settings that work, and units that belong together."""

import re
import tomllib
from pathlib import Path

from autoupdate.config.load import load
from autoupdate.config.settings import SETTINGS, TOLD
from autoupdate.model.paths import Paths

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLE = DOCS / "examples" / "second-app"


def test_second_app(tmp_path: Path) -> None:
    apps = tmp_path / "etc/autoupdate/apps"
    apps.mkdir(parents=True)
    (apps / "shop.toml").write_text((EXAMPLE / "shop.toml").read_text())
    settings = load(Paths(str(tmp_path)), "shop")
    assert settings.path == "/srv/shop"
    guide = (EXAMPLE / "README.md").read_text()
    for service in settings.services:
        assert f"autoupdatectl gate enable {service.removesuffix('.service')} shop" in guide


def test_settings_in_the_guide_exist() -> None:
    guide = (DOCS / "operation.md").read_text()
    keys = {setting.key for setting in SETTINGS}
    blocks = re.findall(r"(?:^    \[[a-z]+\]\n(?:    [a-z_]+ = .*\n)+)", guide, re.MULTILINE)
    assert len(blocks) == 5
    for block in blocks:
        for section, values in tomllib.loads(block).items():
            assert {f"{section}.{name}" for name in values} <= keys
    events = set(re.findall(r"^\| `([a-z-]+)` \| [^p]", guide, re.MULTILINE))
    assert set(TOLD) <= events | {"refused", "unsigned", "untrusted"}
